package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

const maxSecretBytes = 1024

// secret is how a secret is kept.
type secret struct {
	sealed bool
	value  []byte // SHA-256, or nonce and ciphertext
}

// sealer encrypts the secrets that must be read again (XChaCha20-Poly1305).
// The reference is authenticated with it: a row moved to another reference
// does not open.
type sealer struct{ key []byte }

func (s sealer) seal(ref, plain string) (secret, error) {
	aead, err := chacha20poly1305.NewX(s.key)
	if err != nil {
		return secret{}, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return secret{}, err
	}
	return secret{sealed: true, value: aead.Seal(nonce, nonce, []byte(plain), []byte(ref))}, nil
}

func (s sealer) open(ref string, kept secret) (string, error) {
	aead, err := chacha20poly1305.NewX(s.key)
	if err != nil {
		return "", err
	}
	if !kept.sealed || len(kept.value) < aead.NonceSize() {
		return "", errors.New("not a sealed secret")
	}
	n := aead.NonceSize()
	plain, err := aead.Open(nil, kept.value[:n], kept.value[n:], []byte(ref))
	if err != nil {
		return "", errors.New("the key does not open it")
	}
	return string(plain), nil
}

// newPathKey makes a part of a path that nobody can guess: 256 bits.
func newPathKey() string { return base64.RawURLEncoding.EncodeToString(newRandom()) }

// newRandom makes 256 random bits.
func newRandom() []byte {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		panic("ingest: no randomness: " + err.Error()) // the kernel's generator does not fail
	}
	return raw
}

func hashed(plain string) secret {
	sum := sha256.Sum256([]byte(plain))
	return secret{value: sum[:]}
}

// openKey reads the key file: 64 hexadecimal characters. If there is none, or it
// is empty, and nothing was sealed yet it is made.
func openKey(path string, mayCreate bool) (sealer, error) {
	text, err := os.ReadFile(path)
	if mayCreate && (errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0) {
		return createKey(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return sealer{}, fmt.Errorf("secret key: %w (hint: secrets were sealed with it; put it back from where it was kept)", err)
	}
	if err != nil {
		return sealer{}, fmt.Errorf("secret key: %w (hint: it must be readable by the user switchlog runs as)", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if (err != nil || len(key) != chacha20poly1305.KeySize) && !mayCreate {
		return sealer{}, fmt.Errorf("secret key %s: not 64 hexadecimal characters (hint: secrets were sealed with it; put it back from where it was kept)", path)
	}
	if err != nil || len(key) != chacha20poly1305.KeySize {
		return sealer{}, fmt.Errorf("secret key %s: not 64 hexadecimal characters (hint: make one with: openssl rand -hex 32)", path)
	}
	return sealer{key: key}, nil
}

// createKey makes the key file durable before anything is sealed with it.
func createKey(path string) (sealer, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	if _, err := rand.Read(key); err != nil {
		return sealer{}, fmt.Errorf("secret key: %w", err)
	}
	// Under another name first: a crash must not leave half a key.
	half, err := os.CreateTemp(filepath.Dir(path), ".secret-key-*") // mode 0600
	if err != nil {
		return sealer{}, fmt.Errorf("secret key: %w", err)
	}
	defer os.Remove(half.Name())
	_, err = fmt.Fprintln(half, hex.EncodeToString(key))
	err = errors.Join(err, half.Sync(), half.Close())
	if err == nil {
		err = os.Rename(half.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return sealer{}, fmt.Errorf("secret key: %w (hint: the data directory must be writable)", err)
	}
	return sealer{key: key}, nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
