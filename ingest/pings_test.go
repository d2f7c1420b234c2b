package ingest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// pingOf is a PING as PluralKit sends it.
func pingOf(token, system string) string {
	return `{"type":"PING","signing_token":"` + token + `","system_id":"` + system + `"}`
}

func TestPingsAreRemembered(t *testing.T) {
	const other = "0f0f0f0f-0000-4000-8000-000000000001"
	stranger := strings.Repeat("z", 64)
	right, wrong := pingOf(testToken, testSystem), pingOf(stranger, testSystem)
	for _, c := range []struct {
		name   string
		bodies []string
		after  time.Duration // before the last one
		want   []PingResult
		early  bool // it is shown at the end
	}{
		{"the pair", []string{right, wrong}, 0, []PingResult{PingRight, PingWrong}, false},
		{"too early", []string{wrong}, 0, []PingResult{PingEarly}, true},
		{"too early, then the pair", []string{wrong, right, wrong}, 0, []PingResult{PingEarly, PingRight, PingWrong}, false},
		{"a wrong one long after the pair", []string{right, wrong}, time.Minute, []PingResult{PingRight, PingEarly}, true},
		{"two wrong ones after a right one", []string{right, wrong, wrong}, 0, []PingResult{PingRight, PingWrong, PingEarly}, true},
		{"another system's", []string{right, pingOf(stranger, other)}, 0, []PingResult{PingRight, PingEarly}, true},
		{"a right one does not speak for others", []string{pingOf(stranger, other), right}, 0, []PingResult{PingEarly, PingRight}, true},
		{"of another system than the source's", []string{pingOf(testToken, other)}, 0, []PingResult{PingOther}, false},
		{"no body", []string{""}, 0, []PingResult{PingEmpty}, false},
		{"no ping", []string{`{"type":"UPDATE_SYSTEM","signing_token":"x","system_id":"` + testSystem + `"}`}, 0, nil, false},
		{"no system", []string{`{"type":"PING","signing_token":"x"}`}, 0, nil, false},
		{"no JSON", []string{"PING"}, 0, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := newClock()
			pings := NewPings(now.Now)
			b := newBench(t, EdgeConfig{Pings: pings})
			b.add(t)
			for i, body := range c.bodies {
				if i == len(c.bodies)-1 {
					now.pass(c.after)
				}
				b.post(t, body)
			}
			var got []PingResult
			for _, p := range pings.After(0) {
				got = append(got, p.Result)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if _, early := pings.Early(); early != c.early {
				t.Errorf("early: got %v, want %v", early, c.early)
			}
			now.pass(earlyShown)
			if _, early := pings.Early(); early {
				t.Error("an early PING is shown for longer than a day")
			}
		})
	}
}

// The probe's token is good for a PING alone.
func TestProbe(t *testing.T) {
	pings := NewPings(nil)
	b := newBench(t, EdgeConfig{Pings: pings})
	post := func(body []byte) int { return b.post(t, string(body)) }
	if got := post(pings.ProbeBody(true)); got != http.StatusOK {
		t.Errorf("right: got %d, want 200", got)
	}
	if got := post(pings.ProbeBody(false)); got != http.StatusUnauthorized {
		t.Errorf("wrong: got %d, want 401", got)
	}
	event := strings.Replace(string(pings.ProbeBody(true)), "PING", "UPDATE_SYSTEM", 1)
	if got := post([]byte(event)); got != http.StatusUnauthorized {
		t.Errorf("an event with the probe's token: got %d, want 401", got)
	}
	if got := pings.Probes(); got != 1 {
		t.Errorf("got %d probes, want 1", got)
	}
	if got := pings.After(0); len(got) != 0 {
		t.Errorf("got %v, want none remembered", got)
	}
}

func TestPingsWait(t *testing.T) {
	p := NewPings(nil)
	for range maxPings + 10 {
		p.add(Ping{Result: PingRight})
	}
	if got := len(p.After(0)); got != maxPings {
		t.Errorf("got %d remembered, want %d", got, maxPings)
	}
	arrived := make(chan []Ping)
	go func() { arrived <- p.Wait(t.Context(), maxPings+10) }()
	p.add(Ping{Result: PingEarly})
	if got := <-arrived; len(got) != 1 || got[0].Number != maxPings+11 || got[0].Result != PingEarly {
		t.Errorf("got %v, want the one that came meanwhile", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := p.Wait(ctx, maxPings+11); len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
}
