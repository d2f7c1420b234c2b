package ingest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"switchlog/ingest/registry"
)

// PingResult is how a PING was answered, and what that means.
type PingResult string

const (
	// PingRight sent a token of a source, and was answered 200.
	PingRight PingResult = "right"

	// PingWrong followed a right one of the same system with a token that
	// nobody has, and was answered 401: the provider's own test, passed.
	PingWrong PingResult = "wrong"

	// PingEarly sent a token that nobody has, and no right one came before it:
	// the provider was told to go on before the token was given here. Or a
	// stranger sent it.
	PingEarly PingResult = "early"

	// PingOther sent the token of a source, and named another system than the
	// source's.
	PingOther PingResult = "other"

	// PingEmpty had no body at all: something on the way takes it away.
	PingEmpty PingResult = "empty"
)

// Ping is one PING as the public listener received it. Whatever but a right
// one says, a stranger can say: it is shown, and decides nothing.
type Ping struct {
	Number uint64     `json:"number"` // 1, 2, … since the process began
	Time   time.Time  `json:"time"`
	Kind   string     `json:"kind"` // of source
	Result PingResult `json:"result"`
	Source string     `json:"source,omitempty"` // name of the source whose token it bore; empty: nobody's
	System string     `json:"system,omitempty"` // what the body names; empty: it names none
}

// Limits of what is remembered of PINGs.
const (
	maxPings   = 64
	pairWithin = 15 * time.Second // PluralKit gives each of its two PINGs 10 s
	earlyShown = 24 * time.Hour   // an early one is shown for so long, unless a right one follows
)

// Pings remembers the last PINGs, so that a person who links a provider can see
// them arrive. Its methods may be called from many goroutines.
//
// It also has a token of its own, made anew in each process, with which switchlog
// can play the provider's pair of PINGs against its own public address: a PING
// that bears it is answered 200, and nothing follows from it.
type Pings struct {
	now   func() time.Time
	token string

	mu      sync.Mutex // guards what follows
	last    []Ping     // oldest first, at most maxPings
	count   uint64
	probes  int           // of our own that arrived
	bare    int           // requests without a body
	changed chan struct{} // closed at the next PING
}

// NewPings makes an empty memory. A nil now is time.Now.
func NewPings(now func() time.Time) *Pings {
	if now == nil {
		now = time.Now
	}
	return &Pings{now: now, token: newProbeToken(), changed: make(chan struct{})}
}

// newProbeToken makes a token as PluralKit does: base64 of 48 random bytes.
func newProbeToken() string {
	b := make([]byte, 48)
	if _, err := rand.Read(b); err != nil {
		panic("ingest: no randomness: " + err.Error()) // documented never to happen
	}
	return base64.StdEncoding.EncodeToString(b)
}

// ProbeBody is a PING as PluralKit would send it, with our own token or one that
// nobody has.
func (p *Pings) ProbeBody(right bool) []byte {
	token := p.token
	if !right {
		token = newProbeToken()
	}
	return []byte(`{"type":"PING","signing_token":"` + token + `","system_id":null}`)
}

// Probes is how many of our own PINGs have arrived.
func (p *Pings) Probes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.probes
}

// Bare is how many requests came without a body.
func (p *Pings) Bare() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bare
}

// isProbe reports whether a body is a PING with our own token.
func (p *Pings) isProbe(k Kind, r *Request, body []byte) bool {
	if k.Ping == nil || len(body) > maxClaimBytes {
		return false
	}
	got, ok := k.Credential(r, body)
	want := sha256.Sum256([]byte(p.token))
	if !ok || subtle.ConstantTimeCompare(got[:], want[:]) == 0 {
		return false
	}
	if _, is := k.Ping(body); !is {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.probes++
	return true
}

// right notes a PING that was answered 200.
func (p *Pings) right(k Kind, source string, body []byte) {
	if k.Ping == nil {
		return
	}
	system, _ := k.Ping(body)
	p.add(Ping{Kind: k.Name, Result: PingRight, Source: source, System: system})
}

// refused notes a request that was answered 401, if it is a PING or has no
// body, and reports what it was; empty: no PING. src is the source whose token it
// bears; nil: nobody's.
func (p *Pings) refused(k Kind, src *registry.Entry, body []byte) PingResult {
	if k.Ping == nil {
		return ""
	}
	if len(body) == 0 {
		p.add(Ping{Kind: k.Name, Result: PingEmpty})
		return PingEmpty
	}
	system, is := k.Ping(body[:min(len(body), maxClaimBytes)])
	if !is {
		return ""
	}
	if system == "" {
		return "" // PluralKit's names its system; our own probe does not
	}
	ping := Ping{Kind: k.Name, Result: PingEarly, System: system}
	switch {
	case src != nil:
		ping.Result, ping.Source = PingOther, src.Name()
	case p.follows(k.Name, system):
		ping.Result = PingWrong
	}
	p.add(ping)
	return ping.Result
}

// follows reports whether a right PING of the system came just before.
func (p *Pings) follows(kind, system string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.last) - 1; i >= 0; i-- {
		if was := p.last[i]; was.Kind == kind && was.System == system {
			age := p.now().Sub(was.Time)
			return was.Result == PingRight && age >= 0 && age <= pairWithin
		}
	}
	return false
}

func (p *Pings) add(ping Ping) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	ping.Number, ping.Time = p.count, p.now().UTC()
	if ping.Result == PingEmpty {
		p.bare++
	}
	if len(p.last) == maxPings {
		p.last = append(p.last[:0], p.last[1:]...)
	}
	p.last = append(p.last, ping)
	close(p.changed)
	p.changed = make(chan struct{})
}

// Count is the number of the last PING; 0: none has come yet.
func (p *Pings) Count() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// After are the PINGs that came after the one of that number, oldest first.
func (p *Pings) After(number uint64) []Ping {
	p.mu.Lock()
	defer p.mu.Unlock()
	after := []Ping{}
	for _, ping := range p.last {
		if ping.Number > number {
			after = append(after, ping)
		}
	}
	return after
}

// Wait is After, but waits for one until ctx ends.
func (p *Pings) Wait(ctx context.Context, number uint64) []Ping {
	for {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		if after := p.After(number); len(after) > 0 {
			return after
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return []Ping{}
		}
	}
}

// Early is the last early PING of the last day, if no right one of its system
// came after it.
func (p *Pings) Early() (early Ping, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ping := range p.last {
		switch {
		case ping.Result == PingEarly && p.now().Sub(ping.Time) < earlyShown:
			early, ok = ping, true
		case ping.Result == PingRight && ping.System == early.System:
			ok = false
		}
	}
	return early, ok
}

// EarlyWords says what an early PING means, and what to do.
const EarlyWords = "PluralKit sent a PING with a token nobody knows here: Continue was pressed too early, or another token was given than the newest one " +
	"(hint: that token is worthless now. Type pk;system webhook URL once more, give switchlog the new token, and only then press Continue: switchlog link pluralkit)"

// answerProbe answers a PING of our own.
func answerProbe(w http.ResponseWriter) string {
	w.WriteHeader(http.StatusOK)
	return outcomePing
}
