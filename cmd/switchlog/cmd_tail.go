package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/schemas"
)

// dialAsAdmin connects to the server's NATS with the operator's credentials.
func dialAsAdmin(ctx context.Context, c *client) (*nats.Conn, error) {
	var a access
	if err := c.call(ctx, "GET", "/api/admin/access/admin", nil, &a); err != nil {
		return nil, err
	}
	nc, err := nats.Connect(a.NATSURL, nats.UserInfo(a.NATSUser, a.NATSPassword),
		nats.CustomInboxPrefix(a.NATSInboxPrefix), nats.MaxReconnects(-1), nats.Timeout(5*time.Second))
	if err != nil {
		return nil, fmt.Errorf("NATS at %s: %w", a.NATSURL, err)
	}
	return nc, nil
}

func newTail() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Live events and changes, readable",
		Long: "Live events and changes, one line each: local time and words, with names. What is sent to outgoing\n" +
			"webhooks is left out without --all. --json writes CloudEvents, one a line.",
		Example: "  switchlog tail\n" +
			"  switchlog tail --type 'switchlog.front.*'\n" +
			"  switchlog tail --json > events.ndjson",
	}
	var o tailOptions
	cmd.Flags().StringVar(&o.tenant, "tenant", "*", "only this tenant's events")
	cmd.Flags().StringVar(&o.glob, "type", "*", "only event types that match, * standing for anything")
	cmd.Flags().BoolVar(&o.all, "all", false, "also what is sent to outgoing webhooks")
	cmd.Flags().Bool("json", false, "each event as it is, one a line")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		if o.tenant != "*" && o.tenant != "" {
			// Of a tenant there is not nothing would ever come.
			if err := c.call(ctx, "GET", "/api/admin/tenants/"+url.PathEscape(o.tenant), nil, nil); err != nil {
				return err
			}
		}
		nc, err := dialAsAdmin(ctx, c.client)
		if err != nil {
			return err
		}
		defer nc.Close()
		messages := make(chan *nats.Msg, 1024)
		for _, root := range []string{schemas.Events, schemas.Changes} {
			if _, err := nc.ChanSubscribe(schemas.AnySubjects(root, "", o.tenant), messages); err != nil {
				return err
			}
		}
		if err := nc.FlushTimeout(5 * time.Second); err != nil {
			return err
		}
		c.note("waiting for events; Ctrl-C stops")
		t := &tail{call: c, tailOptions: o, names: map[string]string{}}
		for {
			select {
			case <-ctx.Done():
				return nil
			case m := <-messages:
				if err := t.print(ctx, m); err != nil {
					return err
				}
			}
		}
	})
}

type tailOptions struct {
	tenant, glob string
	all          bool
}

// tail prints what comes.
type tail struct {
	*call
	tailOptions
	names map[string]string // of members, by uuid; empty: the server knows none
}

// maxTailNames is how many names are remembered before all are forgotten.
const maxTailNames = 10_000

// name is what a member is called. The server is asked once; what it did not
// know is asked again when the member is heard of.
func (t *tail) name(ctx context.Context, tenant, uuid string) string {
	if name, asked := t.names[uuid]; asked {
		return name
	}
	if len(t.names) >= maxTailNames {
		clear(t.names)
	}
	var member struct {
		ID          *string
		Name        *string
		DisplayName *string `json:"display_name"`
	}
	in := map[string]any{"source": schemas.PluralKit, "name": "member", "params": map[string]string{"tenant": tenant, "ref": uuid}}
	if t.call.call(ctx, "POST", "/api/admin/query", in, &member) == nil {
		t.names[uuid] = memberName(member.Name, member.DisplayName, member.ID, uuid)
	} else {
		t.names[uuid] = ""
	}
	return t.names[uuid]
}

// print writes one event: as it is, or a line fitted to the terminal.
func (t *tail) print(ctx context.Context, m *nats.Msg) error {
	var e spoken
	if err := json.Unmarshal(m.Data, &e); err != nil || !schemas.MatchType(t.glob, e.Type) || isDelivery(e.Type) && !t.all {
		return nil // not an event, or not one that was asked for
	}
	if t.json() {
		_, err := terminal.PlainJSON(t.out).Write(append(bytes.Clone(m.Data), '\n'))
		return err
	}
	part := strings.Split(m.Subject, ".")
	tenant, err := schemas.ParseToken(part[2])
	if err != nil {
		return fmt.Errorf("%s: %w", m.Subject, err)
	}
	if strings.Contains(e.Type, ".member.") {
		delete(t.names, e.Subject)
	}
	words := terminal.Plain(e.words(func(uuid string) string { return t.name(ctx, tenant, uuid) }))
	if part[1] != schemas.PluralKit {
		words = terminal.Plain(part[1]+" "+tenant) + ": " + words
	}
	return t.line(e, words)
}

// line writes words after the time, and behind them type and subject where there
// is room.
func (t *tail) line(e spoken, words string) error {
	begin, trail := e.Time.Local().Format("15:04:05")+"  ", "  "+terminal.Plain(strings.TrimSpace(e.Type+" "+e.Subject))
	if screen := terminal.Width(t.out); screen > 0 {
		if terminal.Cells(begin+words+trail) > screen {
			trail = ""
		}
		words = terminal.Cut(words, screen-terminal.Cells(begin))
	}
	if e.Type == schemas.FrontChanged {
		words = terminal.Paint(t.out, terminal.Bold, words)
	}
	if trail != "" {
		trail = terminal.Paint(t.out, terminal.Dim, trail)
	}
	return t.say("%s%s%s", begin, words, trail)
}
