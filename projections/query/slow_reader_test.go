package query

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestReplayInParts: a replay of any span and type is the same in parts of any size, each of which says
// where the next begins.
func TestReplayInParts(t *testing.T) {
	f, _ := serveBoth(t, newLog(40), nil)
	a := connect(t, f.nats, "a")
	for _, asked := range []string{`"from":1`, `"from":4,"to":33`, `"from":1,"type":"*.update"`, `"from":1,"type":"x*"`} {
		whole, _ := replayed(t, a, tenantA, `{`+asked+`}`)
		for limit := 1; limit <= len(whole)+1; limit++ {
			var parts []string
			for ask := asked; ; {
				seqs, end := replayed(t, a, tenantA, fmt.Sprintf(`{%s,"limit":%d}`, ask, limit))
				parts = append(parts, seqs...)
				next := end.Header.Get("Switchlog-Next")
				if next == "" {
					break
				}
				if len(seqs) != limit {
					t.Fatalf("%s by %d: a part of %d, and more to come", asked, limit, len(seqs))
				}
				_, rest, _ := strings.Cut(asked+",", ",")
				ask = strings.TrimSuffix(`"from":`+next+","+rest, ",")
			}
			if got, want := strings.Join(parts, " "), strings.Join(whole, " "); got != want {
				t.Errorf("%s by %d: got %s, want %s", asked, limit, got, want)
			}
		}
	}
}

// TestSlowReader: a reader that asks for a long replay and takes nothing of it is cut off by the server,
// which holds no more for it than it may; others are answered meanwhile, and it goes on from where it was.
func TestSlowReader(t *testing.T) {
	const events = 1200
	log := newLog(2 * events)
	log.pad = 20 << 10 // 24 MB for each tenant, of which the server holds 8
	f, _ := serveBoth(t, log, nil)
	slow, err := net.Dial("tcp", strings.TrimPrefix(f.nats.ClientURL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if err := slow.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(slow, "CONNECT {\"user\":\"a\",\"pass\":\"a\",\"verbose\":false,\"headers\":true}\r\nSUB _INBOX_a.slow 1\r\n"+
		"PUB switchlog.replay.pluralkit.%s _INBOX_a.slow 0\r\n\r\n", tenantA)

	b := connect(t, f.nats, "b")
	if m := request(t, b, "switchlog.query.pluralkit."+tenantB+".members", ``); m.Header.Get("Nats-Service-Error-Code") != "" {
		t.Errorf("another reader's query: %v", m.Header)
	}
	if seqs, end := replayed(t, b, tenantB, `{"limit":100}`); len(seqs) != 100 || end.Header.Get("Switchlog-Next") == "" {
		t.Errorf("another reader's replay: %d events, end %v", len(seqs), end.Header)
	}
	poll, late := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer poll.Stop()
	for f.nats.NumSlowConsumers() == 0 {
		select {
		case <-poll.C: // the server has no call for it
		case <-late:
			t.Fatal("the reader that takes nothing was not cut off")
		}
	}
	var got []string
	for from, a := "1", connect(t, f.nats, "a"); from != ""; {
		seqs, end := replayed(t, a, tenantA, `{"from":`+from+`,"limit":100}`)
		got, from = append(got, seqs...), end.Header.Get("Switchlog-Next")
	}
	if len(got) != events || got[events-1] != fmt.Sprint(2*events-1) {
		t.Errorf("in parts: %d events, want %d", len(got), events)
	}
}
