package test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// naive is what a reader of one tenant seems to need to read the log by itself: a consumer of its own, and
// to acknowledge.
var naive = natsserver.Permissions{
	Publish: &natsserver.SubjectPermission{Allow: []string{
		"$JS.API.STREAM.INFO.EVENTS", "$JS.API.STREAM.MSG.GET.EVENTS",
		"$JS.API.CONSUMER.CREATE.EVENTS.*", "$JS.API.CONSUMER.CREATE.EVENTS.*.log.events.pluralkit." + sampleSystem + ".>",
		"$JS.API.CONSUMER.MSG.NEXT.EVENTS.*", "$JS.API.CONSUMER.DELETE.EVENTS.*", "$JS.ACK.EVENTS.>",
	}},
	Subscribe: &natsserver.SubjectPermission{Allow: []string{"_INBOX_mallory.>"}},
}

// broken are the attempts of TestAttacks that such a reader succeeds with; why no reader of ours has any of
// JetStream's API.
var broken = []string{
	"all tenants, by the subjects of the stream", "an event by its sequence", "the next event of another", "the last event of another",
	"a consumer of all", "a consumer with several filters", "messages sent to where it may not publish", "our durable made anew",
	"our durable's next message", "end an event for our durable", "delete our durable",
}

// TestNaivePermissions: attempts of TestAttacks succeed for a reader whose permissions only look right, with
// the very code that a reader of ours fails with.
func TestNaivePermissions(t *testing.T) {
	t.Parallel()
	ns, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*natsserver.User{{Username: "admin", Password: "admin"}, {Username: "mallory", Password: "mallory", Permissions: &naive}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(startWithin) {
		t.Fatal("the NATS server does not listen")
	}
	operator := newAttacker(t, nil, credentials{URL: ns.ClientURL(), User: "admin", Password: "admin", InboxPrefix: "_INBOX"})
	mallory := newAttacker(t, nil, credentials{URL: ns.ClientURL(), User: "mallory", Password: "mallory", InboxPrefix: "_INBOX_mallory"})
	mallory.witness = operator.nc
	if err := fillLog(t.Context(), operator.js); err != nil {
		t.Fatal(err)
	}
	injected, err := operator.nc.SubscribeSync("internal.commands")
	if err == nil {
		err = operator.nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}

	tried := 0
	for _, a := range apiAttempts() {
		if !slices.Contains(broken, a.name) {
			continue
		}
		tried++
		if err := mallory.make(t, a); err != nil {
			t.Errorf("%s: does not succeed with the permissions that look right: %v", a.name, err)
		}
	}
	if tried != len(broken) {
		t.Errorf("tried %d of %d attempts: some have other names now", tried, len(broken))
	}
	// What it may not publish arrived all the same.
	m, err := injected.NextMsg(startWithin)
	if err != nil || !strings.HasPrefix(m.Subject, "log.events.") && m.Subject != "internal.commands" {
		t.Errorf("a message where it may not publish: %v %v", err, m)
	}
	// And what it read is another's.
	got, err := mallory.nc.Request("$JS.API.STREAM.MSG.GET.EVENTS", []byte(`{"last_by_subj":"log.events.pluralkit.`+otherSystem+`.>"}`), startWithin)
	var answer struct{ Message struct{ Subject string } }
	if err != nil || json.Unmarshal(got.Data, &answer) != nil || !strings.Contains(answer.Message.Subject, otherSystem) {
		t.Errorf("another's event: got %v, %+v", err, answer)
	}
}

// fillLog makes a stream as ours with events of two tenants, and what attempts are after.
func fillLog(ctx context.Context, js jetstream.JetStream) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"log.events.>"}}); err != nil {
		return err
	}
	for n := range 8 {
		tenant := []string{sampleSystem, otherSystem}[n%2]
		m := &nats.Msg{Subject: "log.events.pluralkit." + tenant + ".switch.create", Data: fmt.Appendf(nil, `{"id":"%d"}`, n)}
		if _, err := js.PublishMsg(ctx, m); err != nil {
			return err
		}
	}
	return prepareLoot(ctx, js)
}
