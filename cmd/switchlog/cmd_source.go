package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"switchlog/ingest"
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
	Created   string            `json:"created,omitempty"`
	LastEvent string            `json:"last_event,omitempty"`
	LastPing  string            `json:"last_ping,omitempty"`
	Accepted  uint64            `json:"accepted"`

	// Of a PluralKit source with an API token: how it stands with PluralKit,
	// since when, and the share of changes that webhooks brought first.
	API      string   `json:"api,omitempty"`
	APISince string   `json:"api_since,omitempty"`
	Coverage *float64 `json:"coverage,omitempty"`
	LastLook string   `json:"last_look,omitempty"` // at all the lists, and with all its answers

	// Requests that name this source's tenant and bear a wrong secret.
	Unproven     uint64 `json:"unproven"`
	LastUnproven string `json:"last_unproven,omitempty"`
}

func newSource() *cobra.Command {
	cmd := &cobra.Command{Use: "source", Short: "Who may send webhooks here", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newSourceAdd(), newSourceList(), newSourceShow(), newSourceRotate(), newSourceRemove(), newSourceTest())
	return cmd
}

func printSource(cmd *cobra.Command, s sourceAnswer, asJSON bool) error {
	if s.Warning != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", s.Warning)
	}
	if asJSON {
		s.Warning = ""
		return printJSON(cmd.OutOrStdout(), s)
	}
	if s.OldUntil != "" {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s has a new secret; the old one is good until %s\n", s.Kind, s.Name, s.OldUntil)
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s is let in at %s\n", s.Kind, s.Name, s.URL)
	return err
}

func newSourceList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "All sources", Args: cobra.NoArgs}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		list := []sourceInfo{}
		if err := c.call(cmd.Context(), "GET", "/api/admin/sources", nil, &list); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), list)
		}
		return printSources(cmd.OutOrStdout(), list)
	}
	return cmd
}

func printSources(w io.Writer, list []sourceInfo) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no sources yet (hint: switchlog source add --help)")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KIND\tNAME\tTENANT\tACCEPTED\tLAST EVENT\tLAST PING")
	for _, s := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", s.Kind, s.Name, orDash(s.Tenant), s.Accepted, ago(s.LastEvent), ago(s.LastPing))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range list {
		if err := s.printStanding(w); err != nil {
			return err
		}
	}
	return nil
}

// printStanding says how a source stands with its provider, if that is known.
func (s sourceInfo) printStanding(w io.Writer) error {
	if s.API != "" && s.Coverage != nil {
		_, err := fmt.Fprintf(w, "\n%s %s: %s\n  So since %s, last compared %s. Since the start webhooks brought %.0f %% of what changed; asking found the rest.\n",
			s.Kind, s.Name, inWords(s.API), ago(s.APISince), ago(s.LastLook), 100**s.Coverage)
		if err != nil {
			return err
		}
	}
	if s.Unproven == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s %s: %d requests named it and bore a wrong token, the last %s (hint: if events are missing, PluralKit has a newer token:\n"+
		"  pk;system webhook URL once more, then switchlog source rotate %s --token-file -; else it was a stranger, or PluralKit's own test)\n",
		s.Kind, s.Name, s.Unproven, ago(s.LastUnproven), s.Kind)
	return err
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
	cmd := &cobra.Command{Use: "show KIND NAME", Short: "One source", Args: cobra.ExactArgs(2)}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var s sourceInfo
		if err := c.call(cmd.Context(), "GET", sourcePath(args[0], args[1]), nil, &s); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), s)
		}
		w := cmd.OutOrStdout()
		fmt.Fprintf(w, "kind        %s\nname        %s\ntenant      %s\nurl         %s\nadded       %s\naccepted    %d\nlast event  %s\nlast ping   %s\n",
			s.Kind, s.Name, orDash(s.Tenant), s.URL, s.Created, s.Accepted, ago(s.LastEvent), ago(s.LastPing))
		for name, value := range s.Settings {
			fmt.Fprintf(w, "%-11s %s\n", name, value)
		}
		return nil
	}
	return cmd
}

// nameOrOnly is the source's name that was given, or the only one there is of
// its kind.
func nameOrOnly(ctx context.Context, c *client, args []string) (string, error) {
	if len(args) == 2 {
		return args[1], nil
	}
	var list []sourceInfo
	if err := c.call(ctx, "GET", "/api/admin/sources", nil, &list); err != nil {
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
		Use:         "rotate KIND [NAME]",
		Short:       "Give a source a new secret; the old one stays good for a while",
		Long:        "Give a source a new secret; the old one stays good for a while. NAME may be left out while there is only one of its kind.",
		Args:        cobra.RangeArgs(1, 2),
		Annotations: map[string]string{ownTokenFlag: "yes"},
	}
	for _, k := range sourceKinds {
		k.addFlags(cmd.Flags(), true)
	}
	grace := cmd.Flags().Duration("grace", 10*time.Minute, "how long the old secret stays good (0: it stops at once)")
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, known := sourceKindNamed(args[0])
		if !known {
			return fmt.Errorf("%w: kind %q is none of: %s", errUsage, args[0], sourceKindNames())
		}
		_, given, err := kind.read(cmd.Flags(), cmd.InOrStdin())
		if err != nil {
			return err
		}
		if err := kind.ask(nil, given, cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
			return err
		}
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		name, err := nameOrOnly(cmd.Context(), c, args)
		if err != nil {
			return err
		}
		var out sourceAnswer
		in := map[string]any{"secrets": given, "grace": grace.String()}
		if err := c.call(cmd.Context(), "POST", sourcePath(args[0], name)+"/rotate", in, &out); err != nil {
			return err
		}
		return printSource(cmd, out, *asJSON)
	}
	return cmd
}

func newSourceRemove() *cobra.Command {
	cmd := &cobra.Command{Use: "remove KIND NAME", Short: "Let a source in no longer; its events stay", Args: cobra.ExactArgs(2)}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if ok, err := confirm(cmd, *yes, fmt.Sprintf("Remove %s %s? What it sends from then on is refused.", args[0], args[1])); err != nil || !ok {
			return err
		}
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		if err := c.call(cmd.Context(), "DELETE", sourcePath(args[0], args[1]), nil, nil); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s is removed\n", args[0], args[1])
		return nil
	}
	return cmd
}

// maxSecretBytes is far above any secret there is.
const maxSecretBytes = 8 << 10

func readSecret(file string, stdin io.Reader) (string, error) {
	var b []byte
	var err error
	if file == "-" {
		b, err = io.ReadAll(io.LimitReader(stdin, maxSecretBytes+1))
	} else {
		b, err = os.ReadFile(file)
	}
	if err != nil {
		return "", err
	}
	if len(b) > maxSecretBytes {
		return "", fmt.Errorf("%s is too large for a secret (hint: it should hold the token and nothing else)", file)
	}
	return string(bytes.TrimSpace(b)), nil
}

// confirm asks a person before something is destroyed.
func confirm(cmd *cobra.Command, yes bool, question string) (bool, error) {
	if yes {
		return true, nil
	}
	if f, ok := cmd.InOrStdin().(*os.File); ok && !term.IsTerminal(int(f.Fd())) {
		return false, fmt.Errorf("%w: this needs an answer (hint: --yes)", errUsage)
	}
	fmt.Fprint(cmd.ErrOrStderr(), question, " [y/N] ")
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "nothing was changed")
	return false, nil
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
func newSourceInfo(s ingest.SourceStatus) sourceInfo {
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	return sourceInfo{
		Kind: s.Kind, Name: s.Name, Tenant: s.Tenant, URL: s.URL, Settings: s.Settings, Created: s.Created,
		LastEvent: text(s.LastEvent), LastPing: text(s.LastPing), Accepted: s.Accepted,
		Unproven: s.Unproven, LastUnproven: text(s.LastUnproven),
	}
}
