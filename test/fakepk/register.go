package fakepk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// The outcome words of a registration. A first PING that is not answered with 200 gives InvalidResponseCode(…).
const (
	OutcomeOK            = "OK"
	OutcomeBadData       = "BadData"
	OutcomeNoIPs         = "NoIPs"
	OutcomeInvalidIP     = "InvalidIP"
	OutcomeFetchFailed   = "FetchFailed"
	OutcomeTestFailed    = "TestFailed"
	OutcomeResolveFailed = "ResolveFailed"
)

// A Registration is `pk;system webhook https://…` before the user pressed Continue. The receiver has to know Token
// before that.
type Registration struct {
	Token string
	URL   string

	s *System
	// Strict holds the address against PluralKit's rules: https and a public IPv4. A test's receiver on loopback
	// breaks both, so it is off by default.
	Strict bool
	// TLS is what the test's receiver is trusted by.
	TLS *tls.Config
}

// RegisterWebhook begins a registration. It is a direct message, so an account event goes to a webhook there is
// already. Discord's own webhooks are refused.
func (s *System) RegisterWebhook(address string) (*Registration, error) {
	var r *Registration
	err := s.do(func() error {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return fmt.Errorf("%w: %q is no address", ErrWebhookRefused, address)
		}
		if strings.HasSuffix(u.Hostname(), "discord.com") && strings.HasPrefix(u.Path, "/api/webhooks") {
			return fmt.Errorf("%w: a Discord webhook", ErrWebhookRefused)
		}
		r = &Registration{Token: s.w.ids.token(), URL: address, s: s}
		return s.dm(s.accounts[0].id)
	})
	return r, err
}

// Continue sends the pair of PINGs and, if both are answered as they must be, stores address and token: from then on
// the old token is no longer used, though events that carry it may be under way. No event says so.
func (r *Registration) Continue(ctx context.Context) (outcome string, err error) {
	err = r.s.do(func() error {
		outcome = r.ping(ctx)
		if outcome == OutcomeOK {
			r.s.w.write(func() { r.s.webhook, r.s.signing = r.URL, r.Token })
		}
		return nil
	})
	return outcome, err
}

func (r *Registration) ping(ctx context.Context) string {
	if r.Strict {
		if word := checkAddress(ctx, r.URL); word != OutcomeOK {
			return word
		}
	}
	return pingPair(ctx, r.URL, r.Token, r.s.w.ids.token(), r.s.uuid, r.TLS, false)
}

// pingPair sends the right token, then a wrong one, over one client.
func pingPair(ctx context.Context, address, token, wrong, system string, roots *tls.Config, spaced bool) string {
	client := newClient(dispatchBudget, roots)
	defer client.CloseIdleConnections()
	status, err := post(ctx, client, address, pingBody(token, system, spaced))
	switch {
	case err != nil:
		return OutcomeFetchFailed
	case status != 200:
		return fmt.Sprintf("InvalidResponseCode(%d)", status)
	}
	switch status, err = post(ctx, client, address, pingBody(wrong, system, spaced)); {
	case err != nil:
		return OutcomeFetchFailed
	case status != 401:
		return OutcomeTestFailed
	}
	return OutcomeOK
}

// checkAddress is the proxy's own check before it sends.
func checkAddress(ctx context.Context, address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		return OutcomeBadData
	}
	if net.ParseIP(u.Hostname()) != nil {
		return OutcomeResolveFailed // an address is no name
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", u.Hostname())
	if err != nil {
		return OutcomeResolveFailed
	}
	if len(ips) == 0 {
		return OutcomeNoIPs
	}
	for _, ip := range ips {
		if !public(ip.Unmap()) {
			return OutcomeInvalidIP
		}
	}
	return OutcomeOK
}

func public(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate()
}

// SetWebhook registers without PINGs and without a receiver: for tests that take Deliveries. It returns the token.
func (s *System) SetWebhook(address string) (token string, err error) {
	err = s.do(func() error {
		token = s.w.ids.token()
		s.w.write(func() { s.webhook, s.signing = address, token })
		return nil
	})
	return token, err
}

// ClearWebhook is `pk;system webhook clear`. No event.
func (s *System) ClearWebhook() error {
	return s.do(func() error {
		s.w.write(func() { s.webhook, s.signing = "", "" })
		return nil
	})
}

// OperatorPing is the unsolicited pair that PluralKit's operators send to every endpoint now and then: with spaces in
// the JSON, the wrong token in lower-case letters. It returns the outcome word.
func (s *System) OperatorPing(ctx context.Context, roots *tls.Config) (outcome string, err error) {
	err = s.do(func() error {
		if s.webhook == "" {
			return errors.New("fakepk: no webhook to ping")
		}
		wrong := make([]byte, 64)
		for i := range wrong {
			wrong[i] = 'a' + byte(s.w.ids.rng.IntN(26))
		}
		outcome = pingPair(ctx, s.webhook, s.signing, string(wrong), s.uuid, roots, true)
		return nil
	})
	return outcome, err
}
