package query

import (
	"slices"
	"testing"
	"time"
)

// TestReplySubjects: a reader may name any subject as the one to answer to. Without the check of whose inbox
// that is, our answer goes there, though the reader may not publish to it; with it, nothing does.
func TestReplySubjects(t *testing.T) {
	const ofB = "pluralkit." + tenantB
	replies := []string{
		"_INBOX_b.x", "_INBOX_a_b.x", "_INBOX_nobody.x", "inbox.x",
		"events." + ofB + ".switch.create", "log.events." + ofB + ".switch.create",
		"changes." + ofB + ".front", "log.changes." + ofB + ".front",
		"switchlog.query." + ofB + ".members", "switchlog.replay." + ofB, "$KV.FRONTERS." + tenantB,
	}
	// Refused for their form alone: no inbox is without a token below its prefix, and the operator's
	// have one that no one could guess.
	malformed := []string{"_INBOX", "_INBOX_b", "_INBOX.victim"}
	// The server itself does not pass these on, from 2.15.3 on. They are tried all the same.
	byServer := []string{"$JS.API.STREAM.DELETE.CHANGES", "$JS.API.STREAM.PURGE.CHANGES", "$JS.ACK.CHANGES.c.1.1.1.1.0", "$SYS.REQ.SERVER.PING", "$SRV.PING"}
	for _, body := range []string{``, `{"limit":`, `{"x":1}`} { // an answer and two errors
		open := arrivals(t, body, replies, func(string) (Reader, bool) { return Reader{Admin: true}, true })
		for _, reply := range replies {
			if !open[reply] {
				t.Errorf("without the check: nothing arrived at %s, so this shows nothing", reply)
			}
		}
		if closed := arrivals(t, body, slices.Concat(replies, malformed, byServer), testInbox); len(closed) > 0 {
			t.Errorf("with the check, body %s: answers arrived at %v", body, closed)
		}
	}
}

// arrivals asks as reader a with each reply, and gives the replies at which something arrived.
func arrivals(t *testing.T, body string, replies []string, inbox func(string) (Reader, bool)) map[string]bool {
	t.Helper()
	f, stop := serveBoth(t, newLog(3), func(c *Config) { c.Inbox = inbox })
	a := connect(t, f.nats, "a")
	everything, err := f.admin.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.admin.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, reply := range replies {
		for _, subject := range []string{"switchlog.query.pluralkit." + tenantA + ".members", "switchlog.replay.pluralkit." + tenantA} {
			if err := a.PublishRequest(subject, reply, []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	request(t, a, "switchlog.query.pluralkit."+tenantA+".members", ``) // all before it were taken
	if err := stop(); err != nil {                                     // and those are answered
		t.Fatal(err)
	}
	if err := f.admin.Flush(); err != nil {
		t.Fatal(err)
	}
	arrived := map[string]bool{}
	for n, _, _ := everything.Pending(); n > 0; n-- {
		m, err := everything.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, reply := range replies {
			if m.Subject == reply {
				arrived[reply] = true
			}
		}
	}
	return arrived
}
