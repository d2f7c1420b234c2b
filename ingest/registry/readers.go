package registry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"switchlog/schemas"
)

// Purposes of a reader's secrets.
const (
	purposeReaderToken    = "token"    // for HTTP; its SHA-256 is kept
	purposeReaderPassword = "password" // of its NATS user; its bcrypt hash is kept
)

const (
	// maxReaders is how many there may be: the NATS server looks through all of them when one
	// is added or revoked.
	maxReaders = 5000

	// passwordCost is bcrypt's least. A password is 256 random bits, which no number of
	// trials finds; a higher cost would only make connecting slow.
	passwordCost = bcrypt.MinCost
)

// reservedReaders are names that mean somebody else on the NATS server or over HTTP.
var reservedReaders = []string{"admin", "sys", "switchlog"}

// Reader is somebody who may read one tenant's data, or everybody's.
type Reader struct {
	Name    string
	Source  string    // kind of source the tenant belongs to; empty with Tenant
	Tenant  string    // the only one it may read; empty: all
	Public  bool      // it sees what anybody may see, and no more
	Created time.Time // when it was added
	Expires time.Time // it is refused from then on; zero: never

	// PasswordHash is the bcrypt hash of the password of its NATS user; empty: it is not on
	// this machine.
	PasswordHash string
}

// Over reports whether its time is over at now.
func (r Reader) Over(now time.Time) bool { return !r.Expires.IsZero() && !now.Before(r.Expires) }

// NewReader asks for a reader. With a Tenant, Source must be given too.
type NewReader struct {
	Name    string
	Source  string
	Tenant  string
	Public  bool
	Expires time.Time
}

// ReaderSecrets are a new reader's, given once: only hashes are kept.
type ReaderSecrets struct {
	Token    string // for HTTP
	Password string // of its NATS user
}

// reader is a Reader as the registry's events say it.
type reader struct {
	Reader
	secrets map[string]string // purpose → reference
}

// AddReader adds a reader. ErrInvalid says what is wrong with the request, schemas.ErrConflict that the
// name is taken or there are as many readers as there may be. After any error nothing has changed.
func (r *Registry) AddReader(ctx context.Context, n NewReader) (ReaderSecrets, error) {
	switch {
	case !sourceName.MatchString(n.Name):
		return ReaderSecrets{}, fmt.Errorf("%w: name must be 1 to 64 letters, digits, _ and -", schemas.ErrInvalid)
	case n.Tenant == "" && n.Source != "" || n.Tenant != "" && n.Source == "":
		return ReaderSecrets{}, fmt.Errorf("%w: a tenant and the kind of its source belong together", schemas.ErrInvalid)
	case n.Public && n.Tenant == "":
		return ReaderSecrets{}, fmt.Errorf("%w: a public reader is of one tenant (hint: --tenant)", schemas.ErrInvalid)
	case !n.Expires.IsZero() && !n.Expires.After(r.Now()):
		return ReaderSecrets{}, fmt.Errorf("%w: expires: that time is over", schemas.ErrInvalid)
	}
	made := ReaderSecrets{Token: newReaderSecret(), Password: newReaderSecret()}
	password, err := bcrypt.GenerateFromPassword([]byte(made.Password), passwordCost)
	if err != nil {
		return ReaderSecrets{}, fmt.Errorf("password: %w", err)
	}
	refs, kept := map[string]string{}, map[string]secret{}
	for purpose, s := range map[string]secret{purposeReaderToken: hashed(made.Token), purposeReaderPassword: {value: password}} {
		ref := "secret-" + schemas.NewID()
		refs[purpose], kept[ref] = ref, s
	}
	d := schemas.ReaderEvent{Name: n.Name, Source: n.Source, Tenant: n.Tenant, Public: n.Public, Secrets: refs, By: by(ctx)}
	if !n.Expires.IsZero() {
		d.Expires = schemas.FormatTime(n.Expires)
	}
	if d.Sealed, err = r.seal.shareAll(kept); err != nil {
		return ReaderSecrets{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.state.readers) >= maxReaders {
		return ReaderSecrets{}, fmt.Errorf("%w: there are %d readers, as many as there may be (hint: revoke those nobody needs)", schemas.ErrConflict, maxReaders)
	}
	return made, r.commit(ctx, schemas.ReaderAdded, n.Name, d, kept)
}

// RevokeReader ends what a reader may do, from the next lookup on. schemas.ErrNotFound: there is none of
// that name.
func (r *Registry) RevokeReader(ctx context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commit(ctx, schemas.ReaderRevoked, name, schemas.ReaderEvent{Name: name, By: by(ctx)}, nil)
}

// DisableOf disables the webhooks that a reader made, for a reason people are told.
func (r *Registry) DisableOf(ctx context.Context, owner, reason string) error {
	var errs []error
	for _, s := range r.Subscriptions() {
		if s.Owner == owner && s.Enabled {
			errs = append(errs, r.Disable(ctx, s.ID, reason))
		}
	}
	return errors.Join(errs...)
}

// newReaderSecret makes a token or a password: 256 bits, beginning with a letter, so that a NATS
// configuration does not take it for a number.
func newReaderSecret() string { return "r" + base64.RawURLEncoding.EncodeToString(newRandom()) }

// applyReader folds an event about a reader; see apply.
func (s state) applyReader(e schemas.Event) error {
	d, err := schemas.Decode[schemas.ReaderEvent](e)
	if err != nil {
		return err
	}
	_, exists := s.readers[d.Name]
	switch {
	case e.Type == schemas.ReaderRevoked && exists:
		delete(s.readers, d.Name)
		return nil
	case e.Type == schemas.ReaderRevoked:
		return noReader(d.Name)
	case e.Type != schemas.ReaderAdded:
		return fmt.Errorf("%w: type %s", schemas.ErrInvalid, e.Type)
	case !sourceName.MatchString(d.Name) || slices.Contains(reservedReaders, strings.ToLower(d.Name)):
		return fmt.Errorf("%w: no reader may be called %q (hint: choose another name)", schemas.ErrInvalid, clip(d.Name))
	case exists:
		return fmt.Errorf("%w: there is already a reader %s (hint: revoke it first, or choose another name)", schemas.ErrConflict, d.Name)
	}
	made := reader{
		Reader:  Reader{Name: d.Name, Source: d.Source, Tenant: d.Tenant, Public: d.Public, Created: e.Time},
		secrets: d.Secrets,
	}
	if d.Expires != "" {
		if made.Expires, err = time.Parse(time.RFC3339Nano, d.Expires); err != nil {
			return fmt.Errorf("%w: expires: %w", schemas.ErrInvalid, err)
		}
	}
	s.readers[d.Name] = made
	return nil
}

func noReader(name string) error {
	return fmt.Errorf("%w: there is no reader %s (hint: switchlog access list)", schemas.ErrNotFound, clip(name))
}

// good are the references to a reader's secrets, while they are good.
func (r reader) good(now time.Time) []string {
	if r.Over(now) {
		return nil
	}
	return slices.Collect(maps.Values(r.secrets))
}

// readerTable finds readers; it is immutable.
type readerTable struct {
	byName  map[string]Reader
	byToken map[[sha256.Size]byte]Reader // how far a wrong hash matches says nothing about a token
}

func (s state) readerTable(secrets map[string]secret) readerTable {
	t := readerTable{byName: make(map[string]Reader, len(s.readers)), byToken: make(map[[sha256.Size]byte]Reader, len(s.readers))}
	for name, r := range s.readers {
		out := r.Reader
		out.PasswordHash = string(secrets[r.secrets[purposeReaderPassword]].value)
		t.byName[name] = out
		if token := secrets[r.secrets[purposeReaderToken]]; !token.sealed && len(token.value) == sha256.Size {
			t.byToken[[sha256.Size]byte(token.value)] = out
		}
	}
	return t
}

// Readers lists all readers by name, those whose time is over too.
func (r *Registry) Readers() []Reader {
	all := slices.Collect(maps.Values(r.lookup.Load().readers.byName))
	slices.SortFunc(all, func(a, b Reader) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Reader is the reader of that name, or schemas.ErrNotFound.
func (r *Registry) Reader(name string) (Reader, error) {
	found, ok := r.lookup.Load().readers.byName[name]
	if !ok {
		return Reader{}, noReader(name)
	}
	return found, nil
}

// ReaderByToken is the reader whose token has that SHA-256, while its time is not over.
func (r *Registry) ReaderByToken(hash [sha256.Size]byte) (Reader, bool) {
	found, ok := r.lookup.Load().readers.byToken[hash]
	return found, ok && !found.Over(r.Now())
}
