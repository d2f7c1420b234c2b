package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"switchlog/schemas"
)

// ProbeType is the type of our own probe, for kinds whose provider has no
// ping: a message of this type, rightly signed, is answered and not stored.
const ProbeType = "switchlog.source.ping"

// probeTimeout is for one request there and back, both at once: the command
// has commandTimeout.
const probeTimeout = 8 * time.Second

// A Prober is a Source that can make the requests its provider would make, so
// that the way from the public address to here can be tried before the
// provider does.
type Prober interface {
	// Probe makes a ping, signed rightly or wrongly. The wrong one differs
	// from the right one in its signature alone. Not ok: there is no such
	// request, since of the secret only a hash is kept, or the provider
	// alone has the key.
	Probe(right bool) (p Probe, ok bool)
}

// Probe is a request by POST to the address of its source.
type Probe struct {
	Path   map[string]string // values of the route's wildcards but name; nil if there are none
	Header http.Header
	Body   []byte
}

// Tested is how a test of a source went.
type Tested struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	URL   string `json:"url"`   // where the requests went: what the provider posts to
	Right *Tried `json:"right"` // null: it could not be made
	Wrong *Tried `json:"wrong"` // null: it could not be made
	OK    bool   `json:"ok"`    // what was sent was answered as it should
	Says  string `json:"says"`  // in words, with what to do
}

// Tried is one request of a test.
type Tried struct {
	Status int    `json:"status"`          // 0: there was no answer
	Ours   bool   `json:"ours"`            // false: somebody on the way answered, not switchlog
	Millis int64  `json:"ms"`              // until the answer
	Error  string `json:"error,omitempty"` // why there was none
}

// Test sends a ping and a wrongly signed one to the source's public address,
// as its provider would: through name server, proxy and certificate. Nothing
// of either is stored. schemas.ErrNotFound: there is no such source; ErrInvalid: it
// cannot be tested.
func (r *Registry) Test(ctx context.Context, kind, name string) (Tested, error) {
	e := r.lookup.Load().sources[sourceKey{kind, name}]
	if e == nil {
		return Tested{}, noSource(kind, name)
	}
	prober, can := e.Source.(Prober)
	if !can {
		return Tested{}, fmt.Errorf("%w: sources of kind %s cannot be tested (hint: let the provider send a test)", schemas.ErrInvalid, kind)
	}
	k, _ := r.kind(kind)
	t := Tested{Kind: kind, Name: name, URL: r.PublicURL + k.path(name, e.settings, "")}
	if u, err := url.Parse(t.URL); err != nil || u.Host == "" {
		return Tested{}, fmt.Errorf("%w: the public address is not known (hint: say at which address providers reach switchlog)", schemas.ErrInvalid)
	}
	var g errgroup.Group
	for right, to := range map[bool]**Tried{true: &t.Right, false: &t.Wrong} {
		if p, ok := prober.Probe(right); ok {
			g.Go(func() error {
				*to = try(ctx, p.at(t.URL), p)
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return Tested{}, err
	}
	t.OK, t.Says = t.judge()
	return t, nil
}

// at fills in the wildcards of an address.
func (p Probe) at(address string) string {
	for name, value := range p.Path {
		address = strings.ReplaceAll(address, "{"+name+"}", value)
	}
	return address
}

// try sends one request. It follows no redirect, as providers do not.
func try(ctx context.Context, to string, p Probe) *Tried {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	began := time.Now()
	t := &Tried{}
	defer func() { t.Millis = time.Since(began).Milliseconds() }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(p.Body))
	if err != nil {
		t.Error = "the public address is no URL"
		return t
	}
	req.Header = p.Header.Clone()
	req.Header.Set("User-Agent", "switchlog")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Error = noAnswer(err)
		return t
	}
	defer resp.Body.Close()
	t.Status = resp.StatusCode
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	t.Ours = err == nil && isOurs(resp, body)
	return t
}

// isOurs tells our answers from those of a proxy: an error of ours is a short
// JSON object, and no success of ours is a page.
func isOurs(resp *http.Response, body []byte) bool {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return len(body) == 0 || json.Valid(body)
	}
	var refusal struct{ Error *string }
	return json.Unmarshal(body, &refusal) == nil && refusal.Error != nil
}

// noAnswer says why, without the request: that held a signature.
func noAnswer(err error) string {
	var dns *net.DNSError
	var dial *net.OpError
	switch {
	case errors.As(err, &dns):
		return "the name " + dns.Name + " has no address (hint: does it point to this machine?)"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s (hint: does a firewall drop what comes from outside?)", probeTimeout)
	case errors.As(err, &dial) && dial.Op == "dial":
		return "nobody takes connections there (hint: is the proxy running, and does it listen at this address?)"
	}
	return err.Error() + " (hint: if it is about the certificate, look at the proxy's)"
}

// judge says in words how the test went.
func (t Tested) judge() (ok bool, says string) {
	for _, tried := range []*Tried{t.Wrong, t.Right} {
		switch {
		case tried == nil:
		case tried.Error != "":
			return false, tried.Error
		case tried.Status >= 300 && tried.Status < 400:
			return false, "the address redirects, and providers do not follow (hint: give them the address it redirects to)"
		case !tried.Ours:
			return false, fmt.Sprintf("somebody on the way answered %d, not switchlog (hint: does the proxy pass this path on?)", tried.Status)
		}
	}
	switch {
	case t.Wrong != nil && t.Wrong.Status != http.StatusUnauthorized:
		return false, fmt.Sprintf("a wrong signature was answered with %d instead of 401 (hint: is this address another switchlog's?)", t.Wrong.Status)
	case t.Right == nil:
		return true, "the address is right: a wrong signature was refused. A right one cannot be made here, since switchlog cannot sign as the provider does"
	case t.Right.Status >= 300:
		return false, fmt.Sprintf("a right signature was answered with %d (hint: is this address another switchlog's, or is its clock wrong?)", t.Right.Status)
	}
	return true, "the address is right: a right signature was taken, and a wrong one refused"
}
