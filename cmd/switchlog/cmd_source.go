package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/ingest/linking"
	"switchlog/ingest/registry"
	"switchlog/schemas"
)

// sourceAnswer is what the server says of a source it has just made or
// changed.
type sourceAnswer struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Tenant   string `json:"tenant"`
	URL      string `json:"url"`
	OldUntil string `json:"old_until,omitempty"` // after a rotation: the old secret is refused from then on
	Warning  string `json:"warning,omitempty"`
}

// sourceInfo is what the server says of a source in a listing.
type sourceInfo struct {
	Kind      string            `json:"kind"`
	Name      string            `json:"name"`
	Tenant    string            `json:"tenant"`
	URL       string            `json:"url"`
	Settings  map[string]string `json:"settings,omitempty"`
	Secrets   []string          `json:"secrets,omitempty"` // which it has, by purpose
	Created   string            `json:"created,omitempty"`
	LastEvent string            `json:"last_event,omitempty"`
	LastPing  string            `json:"last_ping,omitempty"`
	Accepted  uint64            `json:"accepted"`

	SinceStart   uint64 `json:"accepted_since_start"` // of the accepted
	Unstored     uint64 `json:"unstored"`             // verified requests that could not be stored
	LastUnstored string `json:"last_unstored,omitempty"`

	// Of a PluralKit source with an API token: how it stands with PluralKit,
	// since when, and the share of changes that webhooks brought first.
	API      string   `json:"api,omitempty"`
	APISince string   `json:"api_since,omitempty"`
	Coverage *float64 `json:"coverage,omitempty"`
	LastLook string   `json:"last_look,omitempty"` // at all the lists, and with all its answers

	// Why verified requests are refused, and why none can be verified, with what helps; empty: they are not.
	Conflict     string `json:"conflict,omitempty"`
	CannotVerify bool   `json:"cannot_verify,omitempty"`

	// Of a source without a webhook: how old what is known may be. Empty: webhooks
	// come.
	UpToOld string `json:"up_to_old,omitempty"`

	// Requests that name this source's tenant and bear a wrong secret.
	Unproven     uint64 `json:"unproven"`
	LastUnproven string `json:"last_unproven,omitempty"`
}

func newSource() *cobra.Command {
	cmd := &cobra.Command{Use: "source", Short: "Who may send webhooks here",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newSourceAdd(), newSourceList(), newSourceShow(), newSourceRotate(), newSourceRemove(), newSourceTest())
	return cmd
}

// printSource shows a source that was added or changed. secrets are those that
// were given.
func (c *call) printSource(s sourceAnswer, secrets map[string]string) error {
	if s.Warning != "" {
		c.note("%s %s", terminal.Paint(c.errOut, terminal.Yellow, "warning:"), terminal.Plain(s.Warning))
		s.Warning = ""
	}
	return c.answer(s, func() error {
		if _, hears := secrets[purposeToken]; s.Kind == schemas.PluralKit && !hears && !c.rotates() {
			terminal.PrintWrapped(c.out, "", fmt.Sprintf("%s %s is added, without a webhook: PluralKit is asked, every minute while something changes. Answers are up to some minutes old; switchlog status says how old", s.Kind, s.Name))
			return nil
		}
		if s.OldUntil == "" && !c.rotates() {
			return c.say("%s %s %s", s.Kind, s.Name, s.whereItAccepts())
		}
		what := "secret"
		if _, only := secrets["api_token"]; only && len(secrets) == 1 {
			what = "API token"
		}
		if s.OldUntil == "" {
			return c.say("%s %s has a new %s; no old one is accepted", s.Kind, s.Name, what)
		}
		return c.say("%s %s has a new %s; the old one is good until %s", s.Kind, s.Name, what, s.OldUntil)
	})
}

// whereItAccepts says at which address, and never one of this machine alone as
// that to give away.
func (s sourceAnswer) whereItAccepts() string {
	if !s.local() {
		return "accepts webhooks at " + s.URL
	}
	return "is added. Its address is not public: this machine alone can use " + s.URL + " (hint: serve --public-url says at which https address others reach it; switchlog link pluralkit lists ways to one)"
}

// local reports whether only this machine can use the source's address.
func (s sourceAnswer) local() bool {
	return s.URL != "" && (linking.IsLoopback(s.URL) || linking.CheckURL(s.URL) != nil)
}

func (c *call) rotates() bool { return c.cmd.Name() == "rotate" }

func newSourceList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "All sources"}
	return withRows(cmd, formatTable, func(ctx context.Context, c *call) error {
		list, err := c.sources(ctx)
		if err != nil {
			return err
		}
		if c.format != formatTable {
			return c.rows(list, sourcesTable(list))
		}
		return printSources(c.out, list)
	})
}

// sources are all there are.
func (c *client) sources(ctx context.Context) ([]sourceInfo, error) {
	list := []sourceInfo{}
	return list, c.call(ctx, "GET", "/api/admin/sources", nil, &list)
}

func sourcesTable(list []sourceInfo) *terminal.Table {
	t := terminal.NewTable("KIND", "NAME", "TENANT", "ACCEPTED", "LAST EVENT", "LAST PING")
	for _, s := range list {
		t.Add(s.Kind, s.Name, orDash(s.Tenant), s.Accepted, ago(s.LastEvent), ago(s.LastPing))
	}
	return t
}

func printSources(w io.Writer, list []sourceInfo) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no sources yet (hint: switchlog source add --help)")
		return err
	}
	if err := sourcesTable(list).Print(w); err != nil {
		return err
	}
	for _, s := range list {
		s.printStanding(w)
	}
	return nil
}

// printStanding says how a source stands with its provider, if that is known.
func (s sourceInfo) printStanding(w io.Writer) {
	name := terminal.Plain(s.Kind + " " + s.Name)
	if s.UpToOld != "" {
		fmt.Fprintln(w)
		terminal.PrintWrapped(w, "", name+" has no webhook: PluralKit is asked, every minute while something changes, so that answers are a minute old, and up to "+s.UpToOld+" while nothing does, as at night (hint: switchlog link pluralkit has PluralKit send each change at once)")
	}
	if s.API != "" && s.Coverage != nil {
		fmt.Fprintln(w)
		terminal.PrintWrapped(w, "", name+": "+inWords(s.API))
		says := fmt.Sprintf("So since %s, last compared %s.", ago(s.APISince), ago(s.LastLook))
		if s.UpToOld == "" && (s.SinceStart > 0 || *s.Coverage < 1) {
			says += fmt.Sprintf(" Since the start webhooks brought %.0f %% of what changed; asking found the rest.", 100**s.Coverage)
		}
		terminal.PrintWrapped(w, "  ", says)
	}
	if s.Conflict != "" {
		fmt.Fprintln(w)
		terminal.PrintWrapped(w, "", name+": "+s.Conflict)
	}
	if s.lostLately() {
		fmt.Fprintln(w)
		terminal.PrintWrapped(w, "", fmt.Sprintf("%s: %d of its requests could not be stored, the last %s (hint: was the disk full? %s)", name, s.Unstored, ago(s.LastUnstored), s.whatOfTheLost()))
	}
	if s.Unproven > 0 {
		fmt.Fprintln(w)
		terminal.PrintWrapped(w, "", fmt.Sprintf("%s: %d requests named it and sent a wrong token, the last %s (hint: if events are missing, PluralKit has a newer token:", name, s.Unproven, ago(s.LastUnproven)))
		terminal.PrintWrapped(w, "  ", fmt.Sprintf("pk;system webhook URL once more, then switchlog source rotate %s --token-file -; else it was a stranger, or PluralKit's own test)", s.Kind))
	}
}

// lostShown is for how long requests that could not be stored are told of.
const lostShown = 7 * 24 * time.Hour

// lostLately reports whether requests could not be stored, lately.
func (s sourceInfo) lostLately() bool {
	last, err := time.Parse(time.RFC3339Nano, s.LastUnstored)
	return err == nil && time.Since(last) < lostShown
}

// whatOfTheLost says what became of requests that could not be stored.
func (s sourceInfo) whatOfTheLost() string {
	switch {
	case s.API != "":
		return "PluralKit was asked for what they said"
	case s.Kind == schemas.PluralKit:
		return "PluralKit does not send them again; with its API token it is asked: switchlog source rotate pluralkit --api-token-file -"
	}
	return "a sender that tries again has sent them again; else they are lost"
}

// inWords says how a source stands with PluralKit, and what helps.
func inWords(state string) string {
	r, err := schemas.NewSourceReport(schemas.SourceState(state), 0)
	switch {
	case err != nil:
		return "PluralKit does not answer, or not so that it can be understood."
	case r.ToDo == "":
		return r.Reason
	}
	return r.Reason + " (hint: " + r.ToDo + ")"
}

// sourcePath is where the server answers for a source. What a person typed
// may hold anything.
func sourcePath(kind, name string) string {
	return "/api/admin/sources/" + url.PathEscape(kind) + "/" + url.PathEscape(name)
}

func newSourceShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show KIND [NAME]", Short: "One source", Long: "One source. " + nameLeftOut}
	return withServer(cmd, func(ctx context.Context, c *call) error {
		name, err := nameOrOnly(ctx, c.client, c.args)
		if err != nil {
			return err
		}
		var s sourceInfo
		if err := c.call(ctx, "GET", sourcePath(c.args[0], name), nil, &s); err != nil {
			return err
		}
		return c.answer(s, func() error {
			fmt.Fprintf(c.out, "kind        %s\nname        %s\ntenant      %s\nurl         %s\nadded       %s\naccepted    %d\nlast event  %s\nlast ping   %s\n",
				s.Kind, s.Name, orDash(s.Tenant), s.URL, s.Created, s.Accepted, ago(s.LastEvent), ago(s.LastPing))
			for _, name := range sortedKeys(s.Settings) {
				fmt.Fprintf(c.out, "%-11s %s\n", name, terminal.Plain(s.Settings[name]))
			}
			return nil
		})
	})
}

// nameLeftOut is said in the help of commands that take KIND [NAME].
const nameLeftOut = "NAME may be left out while there is only one of its kind."

// nameOrOnly is the source's name that was given, or the only one there is of
// its kind.
func nameOrOnly(ctx context.Context, c *client, args []string) (string, error) {
	if len(args) == 2 {
		return args[1], nil
	}
	if _, known := sourceKindNamed(args[0]); !known {
		return "", unknownKind(args[0])
	}
	list, err := c.sources(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, s := range list {
		if s.Kind == args[0] {
			names = append(names, s.Name)
		}
	}
	if len(names) != 1 {
		return "", fmt.Errorf("there are %d sources of kind %s (hint: say which one: switchlog source list)", len(names), args[0])
	}
	return names[0], nil
}

func newSourceRotate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate KIND [NAME]",
		Short: "Give a source a new secret; the old one stays good for a while",
		Long:  "Give a source a new secret; the old one stays good for a while. " + nameLeftOut,
	}
	for _, k := range sourceKinds() {
		k.addFlags(cmd.Flags(), true)
	}
	grace := cmd.Flags().Duration("grace", 10*time.Minute, "how long the old secret stays good (0: it stops at once)")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		kind, known := sourceKindNamed(c.args[0])
		if !known {
			return unknownKind(c.args[0])
		}
		_, given, err := kind.read(c.cmd)
		if err != nil {
			return err
		}
		if err := kind.ask(nil, given, c.cmd); err != nil {
			return err
		}
		name, err := nameOrOnly(ctx, c.client, c.args)
		if err != nil {
			return err
		}
		var out sourceAnswer
		in := map[string]any{"secrets": given, "grace": grace.String()}
		if err := c.call(ctx, "POST", sourcePath(c.args[0], name)+"/rotate", in, &out); err != nil {
			return err
		}
		return c.printSource(out, given)
	})
}

func newSourceRemove() *cobra.Command {
	cmd := &cobra.Command{Use: "remove KIND NAME", Short: "Remove a source; its events stay", Long: "Remove a source: what it sends is refused from then on. Its events stay."}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		name := c.args[1]
		if ok, err := confirm(c.cmd, *yes, fmt.Sprintf("Remove %s %s? What it sends from then on is refused.", c.args[0], name)); err != nil || !ok {
			return err
		}
		if err := c.call(ctx, "DELETE", sourcePath(c.args[0], name), nil, nil); err != nil {
			return err
		}
		return c.answer(map[string]any{"kind": c.args[0], "name": name, "removed": true}, func() error {
			return c.say("%s %s is removed", c.args[0], name)
		})
	})
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// ago says how long ago a time was, for people.
func ago(rfc3339 string) string {
	t, err := time.Parse(time.RFC3339Nano, rfc3339)
	if err != nil {
		return "never"
	}
	return time.Since(t).Round(time.Second).String() + " ago"
}

// newSourceInfo is a source as listings show it.
func newSourceInfo(s registry.SourceStatus) sourceInfo {
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	return sourceInfo{
		Kind: s.Kind, Name: s.Name, Tenant: s.Tenant, URL: s.URL, Settings: s.Settings, Secrets: s.Secrets, Created: s.Created,
		LastEvent: text(s.LastEvent), LastPing: text(s.LastPing), Accepted: s.Accepted,
		SinceStart: s.SinceStart, Unstored: s.Unstored, LastUnstored: text(s.LastUnstored),
		Conflict: s.Conflict, CannotVerify: s.CannotVerify,
		Unproven: s.Unproven, LastUnproven: text(s.LastUnproven),
	}
}
