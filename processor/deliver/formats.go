package deliver

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"switchlog/schemas"
)

// providers are the destinations there are: a file each.
var providers = []provider{standard, cloudEvents, discord, botghost, ntfy}

// provider is what we know of a kind of destination.
type provider struct {
	name    string
	options []option
	text    bool // it takes text: a template
	maps    bool // it takes variables

	checkURL    func(*url.URL) error      // the shape of its URLs
	show        func(*url.URL) string     // a URL, less what is secret in it
	checkSecret func(secret string) error // of an empty one too

	gate   func(*url.URL) string // what its limits are counted by; nil: the subscription
	place  func(*url.URL) string // the host that may tell all of its webhooks to wait; nil: none does
	rate   float64               // attempts a second it takes at most; 0: no limit we know of
	burst  int
	flight int // attempts at a time

	request func(input) (request, error)          // pure
	judge   func(status int, body []byte) verdict // of an answer that is neither 2xx nor 410 nor 429
}

// option is one of a subscription's Options.
type option struct {
	name  string
	check func(string) error
}

// input is what a request is made of.
type input struct {
	d       *schemas.Delivery
	sub     schemas.Subscription
	url     *url.URL
	secrets []string // the current first
	now     time.Time
}

// secret is the current secret; empty: there is none.
func (in input) secret() string {
	if len(in.secrets) == 0 {
		return ""
	}
	return in.secrets[0]
}

// request is what is sent, by POST.
type request struct {
	url    *url.URL
	header http.Header
	body   []byte
}

// fate is what becomes of a delivery, and of its subscription, after an
// answer that was no success.
type fate int

const (
	again   fate = iota // it may go better later
	refused             // this delivery never will
	gone                // none will: the subscription is disabled
)

// verdict is what a provider's answer means.
type verdict struct {
	fate fate
	why  string // for people, when the subscription is disabled
}

// always tries again: whoever runs a receiver mends it, and then wants what it missed.
func always(int, []byte) verdict { return verdict{} }

func providerOf(name string) (provider, error) {
	for _, p := range providers {
		if p.name == name {
			return p, nil
		}
	}
	return provider{}, fmt.Errorf("%w: provider %q (hint: one of %s)", schemas.ErrInvalid, name, strings.Join(providerNames(), ", "))
}

func providerNames() []string {
	var names []string
	for _, p := range providers {
		names = append(names, p.name)
	}
	return names
}

// Provider is a kind of destination, for people who set one up.
type Provider struct {
	Name      string   `json:"name"`
	Options   []string `json:"options"`   // names of a subscription's Options
	Template  bool     `json:"template"`  // takes a Template
	Variables bool     `json:"variables"` // takes Variables
}

// Providers is what there is to choose from.
func Providers() []Provider {
	var list []Provider
	for _, p := range providers {
		names := []string{}
		for _, o := range p.options {
			names = append(names, o.name)
		}
		list = append(list, Provider{p.name, names, p.text, p.maps})
	}
	return list
}

// Limits of a subscription.
const ()

// CheckSubscription reports whether the sender can serve a subscription: URL
// and secret of the provider's shape, options, template and variables that it
// has. An empty secret is one that is not given. Errors wrap
// schemas.ErrInvalid.
func CheckSubscription(s schemas.Subscription, rawURL, secret string, allow []netip.Prefix) error {
	if _, err := CheckURL(s.Provider, rawURL, allow); err != nil {
		return err
	}
	p, err := providerOf(s.Provider)
	if err != nil {
		return err
	}
	if err := p.checkSecret(secret); err != nil {
		return fmt.Errorf("%w: secret: %w", schemas.ErrInvalid, err)
	}
	if s.Rate < 0 || s.Rate > schemas.MaxRate || math.IsNaN(s.Rate) {
		return fmt.Errorf("%w: rate: from 0 to %d attempts a second", schemas.ErrInvalid, schemas.MaxRate)
	}
	for name, text := range s.Options {
		i := slices.IndexFunc(p.options, func(o option) bool { return o.name == name })
		if i < 0 {
			return fmt.Errorf("%w: options: %s takes no %q", schemas.ErrInvalid, p.name, clip(name, 64))
		}
		if err := p.options[i].check(text); err != nil {
			return fmt.Errorf("%w: options: %s: %w", schemas.ErrInvalid, name, err)
		}
	}
	return checkText(p, s)
}

func checkText(p provider, s schemas.Subscription) error {
	if s.Template != "" && !p.text {
		return fmt.Errorf("%w: template: %s takes no text", schemas.ErrInvalid, p.name)
	}
	if err := checkTemplate(s.Template); err != nil {
		return fmt.Errorf("%w: template: %w", schemas.ErrInvalid, err)
	}
	if len(s.Variables) > 0 && !p.maps {
		return fmt.Errorf("%w: variables: %s takes none", schemas.ErrInvalid, p.name)
	}
	if len(s.Variables) > schemas.MaxVariables {
		return fmt.Errorf("%w: variables: at most %d", schemas.ErrInvalid, schemas.MaxVariables)
	}
	for name, from := range s.Variables {
		if err := checkVariable(name, from); err != nil {
			return fmt.Errorf("%w: variables: %w", schemas.ErrInvalid, err)
		}
	}
	return nil
}

// header makes the headers that every request has, and those given in pairs.
func header(contentType string, pairs ...string) http.Header {
	h := http.Header{}
	h.Set("Content-Type", contentType)
	h.Set("User-Agent", userAgent)
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

const userAgent = "switchlog/1"

// isToken reports whether a secret can stand in a header.
func isToken(s string) bool {
	return s != "" && len(s) <= 4096 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
