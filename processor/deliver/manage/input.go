package manage

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"switchlog/processor/deliver"
	"switchlog/schemas"
)

// Limits of what a person may ask for. The lengths are in bytes.
const (
	maxWebhookEvents = 100
	maxPatternBytes  = 200
	maxNameBytes     = 200
	maxOptionBytes   = 1000
	maxDebounce      = time.Hour
)

// wish is what a body asks for.
type wish struct {
	schemas.Subscription
	url, secret string
	kinds       []string // of sources that there are
}

// wishMember reads one member of a body. A null clears it.
type wishMember struct {
	name   string
	needed bool // when a webhook is made
	fixed  bool // and cannot be changed after that
	read   func(*wish, json.RawMessage) error
}

// wishMembers are the members there are, in the order faults are told.
var wishMembers = []wishMember{
	{"url", true, false, textMember(func(w *wish) *string { return &w.url }, schemas.MaxURLBytes)},
	{"events", true, false, readEvents},
	{"serverId", false, true, readServerID},
	{"provider", false, true, textMember(func(w *wish) *string { return &w.Provider }, maxNameBytes)},
	{"secret", false, true, textMember(func(w *wish) *string { return &w.secret }, maxSecretBytes)},
	{"enabled", false, false, flagMember(func(w *wish) *bool { return &w.Enabled })},
	{"name", false, false, textMember(func(w *wish) *string { return &w.Name }, maxNameBytes)},
	{"source", false, false, readSource},
	{"tenant", false, false, textMember(func(w *wish) *string { return &w.Tenant }, maxNameBytes)},
	{"condition", false, false, textMember(func(w *wish) *string { return &w.Condition }, schemas.MaxConditionBytes)},
	{"rate", false, false, readRate},
	{"ordered", false, false, flagMember(func(w *wish) *bool { return &w.Ordered })},
	{"debounce", false, false, readDebounce},
	{"ownerOnly", false, false, flagMember(func(w *wish) *bool { return &w.OwnerOnly })},
	{"template", false, false, textMember(func(w *wish) *string { return &w.Template }, schemas.MaxTemplateBytes)},
	{"options", false, false, textsMember(func(w *wish) *map[string]string { return &w.Options })},
	{"variables", false, false, textsMember(func(w *wish) *map[string]string { return &w.Variables })},
}

// readWish changes w to what a body asks for, or says everything that is wrong
// with it. Its errors do not quote the body: there are secrets in it.
func readWish(w http.ResponseWriter, r *http.Request, to *wish, making bool) error {
	body, err := readObject(w, r)
	if err != nil {
		return err
	}
	return fill(to, body, making)
}

func fill(to *wish, body map[string]json.RawMessage, making bool) error {
	f := faults{Error: "Validation failed"}
	fault := func(name, message string) {
		f.Details = append(f.Details, detail{[]string{name}, message})
	}
	asks := making // what is asked for may have changed
	for _, m := range wishMembers {
		raw, given := body[m.name]
		asks = asks || given && (m.name == "events" || m.name == "ownerOnly" || m.name == "source")
		delete(body, m.name)
		switch {
		case !given && making && m.needed:
			fault(m.name, "Required")
		case given && !making && m.fixed && string(raw) != "null":
			fault(m.name, fixedMembers[m.name])
		case given && (making || !m.fixed):
			if err := m.read(to, raw); err != nil {
				fault(m.name, err.Error())
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		fault(clip(name), "Unknown member")
	}
	if f.Details != nil {
		return faulty{f}
	}
	f.InvalidEvents = slices.DeleteFunc(slices.Clone(to.Events), func(pattern string) bool {
		return schemas.IsGeneric(to.Source) || schemas.InCatalogue(pattern, to.Source)
	})
	if len(f.InvalidEvents) > 0 {
		f.Error = "Invalid events"
		if to.Source == "" {
			f.Error += " (hint: GET …/webhooks/events lists them; for types of a sender's own, source says which kind it is: standard, token or cloudevents)"
		}
		return faulty{f}
	}
	f.InvalidEvents = slices.DeleteFunc(slices.Clone(to.Events), func(pattern string) bool {
		return !asks || to.OwnerOnly || !schemas.OnlyForOwners(pattern, to.Source)
	})
	if len(f.InvalidEvents) > 0 {
		f.OwnerOnly = true
		f.Error = "only a webhook that is owner-only may have these events: they carry everything, what is private included " +
			"(hint: --owner-only, or ownerOnly: true, if that may be read there; else ask for changes, such as front.changed, which are as a stranger may see them)"
		return faulty{f}
	}
	return nil
}

// fixedMembers says what to do about what a change cannot change.
var fixedMembers = map[string]string{
	"serverId": "Cannot be changed (hint: make another webhook)",
	"provider": "Cannot be changed (hint: make another webhook)",
	"secret":   "Cannot be changed here (hint: POST …/rotate)",
}

// readObject reads a body that is one JSON object; none at all is an empty one.
func readObject(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCommandBytes))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, oneFault("", "The body ended early")
	}
	return parseObject(b)
}

func parseObject(b []byte) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return map[string]json.RawMessage{}, nil
	}
	var object map[string]json.RawMessage
	if !utf8.Valid(b) || json.Unmarshal(b, &object) != nil || object == nil {
		return nil, oneFault("", "The body is not a JSON object")
	}
	return object, nil
}

// providerOf is the provider a URL speaks for itself: people who make a
// webhook for Discord do not all say so.
func providerOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return schemas.ProviderStandard
	}
	switch host := strings.ToLower(u.Hostname()); {
	case slices.Contains([]string{"discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"}, host) && strings.HasPrefix(u.Path, "/api/"):
		return schemas.ProviderDiscord
	case host == "api.botghost.com" && strings.HasPrefix(u.Path, "/webhook/"):
		return schemas.ProviderBotGhost
	}
	return schemas.ProviderStandard
}

// settle fills in what a wish leaves open, and says what is wrong with the
// whole. made is the secret that was made for it, if one was.
func (h *webhooks) settle(to *wish, who Caller) (made string, err error) {
	if who.Tenant != "" {
		if to.Tenant != "" && to.Tenant != who.Tenant {
			return "", oneFault("tenant", "Not yours")
		}
		to.Tenant = who.Tenant
		if who.Source != "" {
			if to.Source != "" && to.Source != who.Source {
				return "", oneFault("source", "Not yours")
			}
			to.Source = who.Source
		}
	}
	if to.url == "" {
		return "", oneFault("url", "Required")
	}
	if to.Provider == "" {
		to.Provider = providerOf(to.url)
	}
	if to.Provider == schemas.ProviderStandard && to.secret == "" {
		made = h.Registry.NewSigningSecret()
		to.secret = made
	}
	return made, h.check(to)
}

// check holds a whole wish against what the sender and the matcher can do.
func (h *webhooks) check(to *wish) (err error) {
	if to.secret != "" {
		if to.secret, err = h.Registry.CleanSecret(to.secret, to.Provider == schemas.ProviderStandard); err != nil {
			return oneFault(purposeSecret, sentence(err, schemas.ErrInvalid))
		}
	}
	if speaks := providerOf(to.url); speaks != schemas.ProviderStandard && speaks != to.Provider {
		return oneFault("url", "Is an address of "+speaks+", which understands nothing else (hint: a webhook with provider "+speaks+")")
	}
	if to.Condition != "" {
		if err := h.Condition(to.Condition); err != nil {
			return oneFault("condition", sentence(err, schemas.ErrInvalid))
		}
	}
	if err = deliver.CheckSubscription(to.Subscription, to.url, to.secret, h.Allow); err == nil {
		to.Subscription.URL, err = deliver.CheckURL(to.Provider, to.url, h.Allow)
	}
	if err != nil {
		return aboutMember(sentence(err, schemas.ErrInvalid))
	}
	return nil
}

// aboutMember is a fault that names its member first, as in "url: has no host".
func aboutMember(says string) error {
	name, rest, found := strings.Cut(says, ": ")
	if found && slices.ContainsFunc(wishMembers, func(m wishMember) bool { return m.name == name }) {
		return oneFault(name, rest)
	}
	return oneFault("", says)
}
