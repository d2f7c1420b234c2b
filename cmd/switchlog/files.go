package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Files of the data directory that the program itself keeps; DESIGN.md lists
// all of them.
const (
	fileAdmin     = "admin.token"    // bearer token of the private listener, 0600
	fileAlive     = "alive"          // when the server was last known to run, and whether it was stopped
	fileSeen      = "seen.json"      // how many requests of each source came, and when
	fileEndpoints = "endpoints.json" // where the running server listens
	fileNATS      = "nats.json"      // passwords of the NATS server inside, 0600
	fileSpool     = "spool.db"
	fileSecrets   = "secrets.db"
	fileSecretKey = "secret.key"
	fileDatabase  = "projections.db"
	dirNATS       = "nats"

	dirCertificates = "certificates" // of --domain, with the account's key; 0700
)

// Endpoints is endpoints.json: how commands find the server.
type Endpoints struct {
	Public  string `json:"public"` // empty without the role ingest
	Private string `json:"private"`
	NATS    string `json:"nats"`
	PID     int    `json:"pid"`
}

// writeFile replaces a file as a whole, durably, with mode 0600.
func writeFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// newToken is 32 random bytes as text.
func newToken() string {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		panic("switchlog: no randomness: " + err.Error()) // documented never to happen
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// adminToken reads the admin token, making one on first start.
func adminToken(dir string) (string, error) {
	path := filepath.Join(dir, fileAdmin)
	token, err := readToken(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errEmptyToken) {
		token = newToken()
		return token, writeFile(path, []byte(token+"\n"))
	}
	return token, err
}

var errEmptyToken = errors.New("is empty (hint: start the server again; it makes a new one)")

func readToken(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("%s %w", path, errEmptyToken)
	}
	return token, nil
}

// natsUser is as whom to come to the NATS server outside.
func (c *Config) natsUser(u *url.URL) (*url.Userinfo, error) {
	if c.NATSCredsFile == "" {
		password, _ := u.User.Password()
		return url.UserPassword(u.User.Username(), password), nil
	}
	f, err := os.Open(c.NATSCredsFile)
	if err != nil {
		return nil, fmt.Errorf("--nats-creds-file: %w", err)
	}
	defer f.Close()
	text, err := secretFrom(f, c.NATSCredsFile)
	if err != nil {
		return nil, fmt.Errorf("--nats-creds-file: %w", err)
	}
	user, password, ok := strings.Cut(text, ":")
	if !ok || user == "" || password == "" || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("--nats-creds-file %s: it is not one line user:password (hint: those of the NATS server's configuration)", c.NATSCredsFile)
	}
	return url.UserPassword(user, password), nil
}

// natsPasswords are those of the NATS server inside.
type natsPasswords struct {
	Admin  string `json:"admin"`
	System string `json:"system"`
}

func loadNATSPasswords(dir string) (natsPasswords, error) {
	path := filepath.Join(dir, fileNATS)
	var p natsPasswords
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(bytes.TrimSpace(b)) == 0 {
		p = natsPasswords{Admin: newToken(), System: newToken()}
		b, err := json.Marshal(p)
		if err != nil {
			return p, err
		}
		return p, writeFile(path, append(b, '\n'))
	}
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(b, &p); err != nil || p.Admin == "" || p.System == "" {
		return p, fmt.Errorf("%s is damaged (hint: move it to another name and start again; new passwords are made)", path)
	}
	return p, nil
}
