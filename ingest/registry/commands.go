package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchlog/schemas"
)

// Grace is for how long a replaced secret stays good: events that carry it
// may still be on their way.
const (
	DefaultGrace = 10 * time.Minute
	MaxGrace     = 30 * 24 * time.Hour
)

var sourceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// NewSource asks for a source.
type NewSource struct {
	Kind     string            `json:"kind"`
	Name     string            `json:"name"` // of letters, digits, _ and -, at most 64; PluralKit's may be left out
	Settings map[string]string `json:"settings"`
	Secrets  map[string]string `json:"secrets"` // purpose → secret
}

// Added answers it.
type Added struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Tenant  string `json:"tenant"`            // empty: not known until the first request
	URL     string `json:"url"`               // where the provider must post to
	Warning string `json:"warning,omitempty"` // what is odd about a secret
}

// Add creates a source. ErrInvalid says what is wrong with the request,
// schemas.ErrConflict that name, tenant or token are taken; after any other error
// nothing has changed.
func (r *Registry) Add(ctx context.Context, n NewSource) (Added, error) {
	kind, known := r.kind(n.Kind)
	if !known {
		return Added{}, fmt.Errorf("%w: kind %q is none of: %s", schemas.ErrInvalid, clip(n.Kind), strings.Join(r.kindNames(), ", "))
	}
	settings, err := kind.checkSettings(n.Settings)
	if err != nil {
		return Added{}, err
	}
	plain, warning, err := kind.CheckSecrets(n.Secrets)
	if err != nil {
		return Added{}, err
	}
	if kind.hasPathKey(settings) {
		plain[PurposePathKey] = newPathKey()
	}
	for _, spec := range kind.Secrets {
		if spec.Required && plain[spec.Purpose] == "" {
			return Added{}, fmt.Errorf("%w: %s is missing", schemas.ErrInvalid, spec.Purpose)
		}
	}
	unconfirmed := r.confirm(ctx, kind, settings, plain)
	if errors.Is(unconfirmed, schemas.ErrInvalid) {
		return Added{}, unconfirmed
	}
	if unconfirmed != nil && settings[kind.TenantSetting] == "" && kind.onlyAsks(plain) {
		return Added{}, fmt.Errorf("%w: no request will say whose it is, and the provider did not: %w (hint: try again, or --%s)", schemas.ErrInvalid, unconfirmed, kind.TenantSetting)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.Name == "" && kind.DefaultName != nil {
		n.Name = r.defaultName(kind, settings)
	}
	if !sourceName.MatchString(n.Name) {
		return Added{}, fmt.Errorf("%w: name must be 1 to 64 letters, digits, _ and -", schemas.ErrInvalid)
	}
	if kind.Check != nil {
		if err := kind.Check(n.Name, settings, plain); err != nil {
			return Added{}, err
		}
	}
	tenant := kind.Tenant(n.Name, settings)
	refs, kept, err := r.keep(kind, sourceKey{kind.Name, n.Name}, plain)
	if err != nil {
		return Added{}, err
	}
	if err := r.mayLearn(kind, n.Name, settings, unconfirmed); err != nil {
		return Added{}, err
	}
	err = r.commitSource(ctx, schemas.SourceAdded, schemas.SourceEvent{
		Kind: kind.Name, Name: n.Name, Tenant: tenant, Settings: settings, Secrets: refs,
	}, kept)
	if err != nil {
		return Added{}, err
	}
	return Added{Kind: kind.Name, Name: n.Name, Tenant: tenant, URL: r.PublicURL + kind.path(n.Name, settings, plain[PurposePathKey]), Warning: warning}, nil
}

// onlyAsks reports whether there are secrets to ask the provider with, and none
// that proves its requests.
func (k Kind) onlyAsks(secrets map[string]string) bool {
	asks := false
	for purpose := range secrets {
		spec, _ := k.secret(purpose)
		if !spec.Asks {
			return false
		}
		asks = true
	}
	return asks
}

// askWithin is how long the provider may take to say whose a secret is.
const askWithin = 5 * time.Second

// confirm sets the setting that says whose data the source receives, if it is not given and a secret tells.
// It returns why it is not set: ErrInvalid if the secret is wrong.
func (r *Registry) confirm(ctx context.Context, kind Kind, settings, secrets map[string]string) error {
	if kind.TenantSetting == "" || settings[kind.TenantSetting] != "" {
		return nil
	}
	for _, spec := range kind.Secrets {
		if !spec.Asks || secrets[spec.Purpose] == "" || r.Whose == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		tenant, err := r.Whose(ctx, kind.Name, secrets[spec.Purpose])
		if err == nil {
			tenant, err = kind.Settings[kind.TenantSetting](tenant)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", spec.Purpose, err)
		}
		settings[kind.TenantSetting] = tenant
		return nil
	}
	return errors.New("nothing says whose it is")
}

// mayLearn refuses a source that would learn its tenant from its first request where there is another of
// its kind: it could claim that one's. The caller holds r.mu.
func (r *Registry) mayLearn(kind Kind, name string, settings map[string]string, unconfirmed error) error {
	if _, taken := r.state.sources[sourceKey{kind.Name, name}]; taken || kind.TenantSetting == "" || settings[kind.TenantSetting] != "" {
		return nil // taken: apply says so
	}
	for key := range r.state.sources {
		if key.kind == kind.Name {
			return fmt.Errorf("%w: there is a source of %[2]s already, so another must say whose it is: %[3]w (hint: for a new secret of the one there is: switchlog source rotate %[2]s; for another: --%[4]s, or --api-token-file, which confirms it)",
				schemas.ErrInvalid, kind.Name, unconfirmed, kind.TenantSetting)
		}
	}
	return nil
}

// Rotated answers a rotation.
type Rotated struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Tenant   string `json:"tenant"`
	URL      string `json:"url"`       // a new one, if the key of its path is what was replaced
	OldUntil string `json:"old_until"` // RFC 3339: from then on the old secrets are refused
	Warning  string `json:"warning,omitempty"`
}

// Rotate replaces secrets of a source; the old ones stay good for grace, at
// most MaxGrace. The key of an unguessable path is made anew, and not given:
// the answer's URL has it. Its errors are Add's, and schemas.ErrNotFound.
func (r *Registry) Rotate(ctx context.Context, kindName, name string, secrets map[string]string, grace time.Duration) (Rotated, error) {
	if grace < 0 || grace > MaxGrace {
		return Rotated{}, fmt.Errorf("%w: grace must be between 0 and %s", schemas.ErrInvalid, MaxGrace)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	kind, known := r.kind(kindName)
	source, exists := r.state.sources[sourceKey{kindName, name}]
	if !exists || !known {
		return Rotated{}, noSource(kindName, name)
	}
	plain, warning, err := kind.CheckSecrets(secrets)
	if err != nil {
		return Rotated{}, err
	}
	if kind.Check != nil && len(plain) > 0 {
		if err := kind.Check(name, source.settings, plain); err != nil {
			return Rotated{}, err
		}
	}
	if kind.hasPathKey(source.settings) {
		plain[PurposePathKey] = newPathKey()
	}
	if len(plain) == 0 {
		return Rotated{}, fmt.Errorf("%w: no secret was given", schemas.ErrInvalid)
	}
	refs, kept, err := r.keep(kind, sourceKey{kindName, name}, plain)
	if err != nil {
		return Rotated{}, err
	}
	until := schemas.FormatTime(r.Now().Add(grace))
	err = r.commitSource(ctx, schemas.SourceRotated, schemas.SourceEvent{
		Kind: kindName, Name: name, Secrets: refs, Until: until,
	}, kept)
	if err != nil {
		return Rotated{}, err
	}
	return Rotated{Kind: kindName, Name: name, Tenant: source.tenant, URL: r.PublicURL + kind.path(name, source.settings, plain[PurposePathKey]),
		OldUntil: until, Warning: warning}, nil
}

// Remove deletes a source and its secrets. What it sent stays in the log.
func (r *Registry) Remove(ctx context.Context, kind, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commitSource(ctx, schemas.SourceRemoved, schemas.SourceEvent{Kind: kind, Name: name}, nil)
}

// Learn fixes the tenant of a source that has none. schemas.ErrConflict: it has
// another, or another source has this one.
func (r *Registry) Learn(ctx context.Context, kind, name, tenant string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.sources[sourceKey{kind, name}].tenant == tenant {
		return nil // another request was faster
	}
	return r.commitSource(ctx, schemas.SourceLearned, schemas.SourceEvent{Kind: kind, Name: name, Tenant: tenant}, nil)
}

func (r *Registry) commitSource(ctx context.Context, typ string, d schemas.SourceEvent, secrets map[string]secret) (err error) {
	if d.Sealed, err = r.seal.shareAll(secrets); err != nil {
		return err
	}
	if typ != schemas.SourceLearned { // a provider's request teaches the tenant, whoever waits for it
		d.By = by(ctx)
	}
	return r.commit(ctx, typ, d.Kind+"/"+d.Name, d, secrets)
}

// keep gives each secret a reference and the form it is kept in.
func (r *Registry) keep(kind Kind, key sourceKey, plain map[string]string) (refs map[string]string, kept map[string]secret, err error) {
	refs, kept = map[string]string{}, map[string]secret{}
	for purpose, s := range plain {
		spec, _ := kind.secret(purpose)
		ref := "secret-" + schemas.NewID()
		refs[purpose] = ref
		if !spec.Hashed {
			if kept[ref], err = r.seal.seal(ref, s); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", purpose, err)
			}
			continue
		}
		kept[ref] = hashed(s)
		if kind.Credential == nil {
			continue
		}
		switch holder, held := r.tokenHolder(kind, kept[ref]); {
		case held && holder == key:
			return nil, nil, fmt.Errorf("%w: the source has this %s already", schemas.ErrConflict, purpose)
		case held:
			return nil, nil, fmt.Errorf("%w: source %s %s has this %s", schemas.ErrConflict, holder.kind, holder.name, purpose)
		}
	}
	return refs, kept, nil
}

// tokenHolder is the source for which a hashed secret is good.
func (r *Registry) tokenHolder(kind Kind, s secret) (sourceKey, bool) {
	now := r.Now()
	for key, rec := range r.state.sources {
		if key.kind != kind.Name {
			continue
		}
		for _, ref := range rec.good(now) {
			if held := r.secrets[ref]; !held.sealed && string(held.value) == string(s.value) {
				return key, true
			}
		}
	}
	return sourceKey{}, false
}

func (r *Registry) defaultName(k Kind, settings map[string]string) string {
	if name := k.DefaultName(settings); name != "" {
		return name
	}
	for n := 1; ; n++ {
		name := k.Name
		if n > 1 {
			name += "-" + strconv.Itoa(n)
		}
		if _, taken := r.state.sources[sourceKey{k.Name, name}]; !taken {
			return name
		}
	}
}

func (k Kind) checkSettings(given map[string]string) (map[string]string, error) {
	settings := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		check, known := k.Settings[name]
		if !known {
			return nil, fmt.Errorf("%w: %s has no setting %q; it has: %s", schemas.ErrInvalid, k.Name, clip(name),
				strings.Join(slices.Sorted(maps.Keys(k.Settings)), ", "))
		}
		v, err := check(given[name])
		if err != nil {
			return nil, err
		}
		settings[name] = v
	}
	return settings, nil
}

// CheckSecrets reads secrets as a person gave them, by purpose, and answers the form
// in which they are kept, with what is odd about them. ErrInvalid says what is wrong.
func (k Kind) CheckSecrets(given map[string]string) (plain map[string]string, warning string, err error) {
	plain = map[string]string{}
	for _, purpose := range slices.Sorted(maps.Keys(given)) {
		spec, known := k.secret(purpose)
		if !known {
			var purposes []string
			for _, s := range k.Secrets {
				purposes = append(purposes, s.Purpose)
			}
			return nil, "", fmt.Errorf("%w: %s takes no secret of that name; it takes: %s", schemas.ErrInvalid, k.Name, strings.Join(purposes, ", "))
		}
		if plain[purpose], err = cleanSecret(given[purpose], spec); err != nil {
			return nil, "", err
		}
		if spec.Check != nil {
			if plain[purpose], err = spec.Check(plain[purpose]); err != nil {
				return nil, "", err
			}
		}
		if k.Warn != nil {
			warning += k.Warn(purpose, plain[purpose])
		}
	}
	return plain, warning, nil
}

// clip keeps what a caller wrote short enough to be repeated to them.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
