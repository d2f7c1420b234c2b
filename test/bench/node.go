//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

// node is a switchlog in its own process.
type node struct {
	*process
	b   *bench
	dir string

	Public  string `json:"public"`
	Private string `json:"private"`
	NATS    string `json:"nats"`
}

// startNode starts one on dir and waits until it says where it listens.
func (b *bench) startNode(dir string, args ...string) (*node, error) {
	n := &node{b: b, dir: dir}
	endpoints := filepath.Join(dir, "endpoints.json")
	if err := os.Remove(endpoints); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	args = append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0",
		"--nats-listen", "127.0.0.1:0"}, args...)
	var err error
	if n.process, err = startProcess(nil, b.binary("switchlog"), args...); err != nil {
		return nil, err
	}
	return n, n.await("switchlog", 2*time.Minute, func() bool {
		text, err := os.ReadFile(endpoints)
		return err == nil && json.Unmarshal(text, n) == nil
	})
}

// cli runs a command against the node.
func (n *node) cli(stdin string, args ...string) (string, error) {
	cmd := exec.Command(n.b.binary("switchlog"), append(args, "--data", n.dir)...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("switchlog %s: %w: %s", strings.Join(args, " "), err, errOut.Bytes())
	}
	return out.String(), nil
}

// addSource lets the sample system in.
func (n *node) addSource() error {
	_, err := n.cli(token+"\n", "source", "add", "pluralkit", "--token-file", "-", "--system", system)
	return err
}

// connect connects to the node's NATS as the operator.
func (n *node) connect() (*nats.Conn, error) {
	out, err := n.cli("", "access", "show", "admin", "--json")
	if err != nil {
		return nil, err
	}
	var a struct {
		URL      string `json:"nats_url"`
		User     string `json:"nats_user"`
		Password string `json:"nats_password"`
	}
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		return nil, err
	}
	return nats.Connect(a.URL, nats.UserInfo(a.User, a.Password))
}

// token is the operator's token.
func (n *node) token() (string, error) {
	text, err := os.ReadFile(filepath.Join(n.dir, "admin.token"))
	return strings.TrimSpace(string(text)), err
}

// ready waits until the node says that it is.
func (n *node) ready(within time.Duration) error {
	client := &http.Client{Timeout: within}
	defer client.CloseIdleConnections()
	return n.await("readiness", within, func() bool {
		res, err := client.Get(n.Private + "/readyz")
		if err != nil {
			return false
		}
		return errors.Join(err, res.Body.Close()) == nil && res.StatusCode == http.StatusOK
	})
}

// status is what the node says of itself.
type status struct {
	Log        struct{ Events, Bytes uint64 }
	Spool      struct{ Depth uint64 }
	Projection struct{ Position uint64 }
}

func (n *node) status() (s status, err error) {
	out, err := n.cli("", "status", "--json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(out), &s)
}

// settled waits until all that was accepted is in the log and, if there is
// one, in the database.
func (n *node) settled(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		s, err := n.status()
		if err != nil {
			return err
		}
		if s.Spool.Depth == 0 && (s.Projection.Position == 0 || s.Projection.Position >= s.Log.Events) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not settled within %v: %+v", within, s)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (n *node) stop() error { return n.end(syscall.SIGTERM) }
