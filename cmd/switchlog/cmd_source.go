package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"switchlog/ingest"
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
}

func newSource() *cobra.Command {
	cmd := &cobra.Command{Use: "source", Short: "Who may send webhooks here", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newSourceAdd(), newSourceList(), newSourceShow(), newSourceRotate(), newSourceRemove())
	return cmd
}

const pluralKitSteps = `For PluralKit:
  1. In a direct message to the PluralKit bot on Discord, type
       pk;system webhook https://YOUR-ADDRESS/in/pluralkit
     The bot answers with a token. Do not press Continue yet.
  2. Put the token into a file and run
       switchlog source add pluralkit --token-file FILE
     (or --token-file - and paste it).
  3. Press Continue. PluralKit now tries the address twice, and from then on
     every change arrives here.`

func newSourceAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use:         "add KIND [NAME]",
		Short:       "Let a sender in",
		Long:        "Let a sender in. Secrets come from a file or from standard input (-), never from an argument.\n\n" + pluralKitSteps,
		Example:     "  switchlog source add pluralkit --token-file token.txt\n  switchlog source add pluralkit harbour --token-file - --system 7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311",
		Args:        cobra.RangeArgs(1, 2),
		Annotations: map[string]string{ownTokenFlag: "yes"},
	}
	secrets := secretFlags(cmd)
	system := cmd.Flags().String("system", "", "the system's uuid (default: learned from the first request)")
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given, err := secrets.read(cmd.InOrStdin(), cmd.ErrOrStderr(), true)
		if err != nil {
			return err
		}
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		in := map[string]any{"kind": args[0], "secrets": given}
		if len(args) == 2 {
			in["name"] = args[1]
		}
		if *system != "" {
			in["settings"] = map[string]string{"system": *system}
		}
		var out sourceAnswer
		if err := c.call(cmd.Context(), "POST", "/api/admin/sources", in, &out); err != nil {
			return err
		}
		return printSource(cmd, out, *asJSON)
	}
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
	fmt.Fprintf(cmd.OutOrStdout(), "%s %s is let in at %s\n", s.Kind, s.Name, s.URL)
	if s.OldUntil != "" {
		fmt.Fprintf(cmd.OutOrStdout(), "the old secret is good until %s\n", s.OldUntil)
	}
	return nil
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
	return t.Flush()
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
		if err := c.call(cmd.Context(), "GET", "/api/admin/sources/"+args[0]+"/"+args[1], nil, &s); err != nil {
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

func newSourceRotate() *cobra.Command {
	cmd := &cobra.Command{
		Use:         "rotate KIND NAME",
		Short:       "Give a source a new secret; the old one stays good for a while",
		Args:        cobra.ExactArgs(2),
		Annotations: map[string]string{ownTokenFlag: "yes"},
	}
	secrets := secretFlags(cmd)
	grace := cmd.Flags().Duration("grace", 10*time.Minute, "how long the old secret stays good (0: it stops at once)")
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given, err := secrets.read(cmd.InOrStdin(), cmd.ErrOrStderr(), false)
		if err != nil {
			return err
		}
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var out sourceAnswer
		in := map[string]any{"secrets": given, "grace": grace.String()}
		if err := c.call(cmd.Context(), "POST", "/api/admin/sources/"+args[0]+"/"+args[1]+"/rotate", in, &out); err != nil {
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
		if err := c.call(cmd.Context(), "DELETE", "/api/admin/sources/"+args[0]+"/"+args[1], nil, nil); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s is removed\n", args[0], args[1])
		return nil
	}
	return cmd
}

// secretFiles are the files secrets come from, by purpose.
type secretFiles struct{ token, apiToken *string }

func secretFlags(cmd *cobra.Command) secretFiles {
	return secretFiles{
		token:    cmd.Flags().String("token-file", "", "file with the token the sender proves itself by (-: standard input)"),
		apiToken: cmd.Flags().String("api-token-file", "", "file with the owner's PluralKit API token, for looking up what webhooks missed (-: standard input)"),
	}
}

// read gives the secrets. Without any file, a person at a terminal is asked
// for the token, unseen.
func (s secretFiles) read(stdin io.Reader, stderr io.Writer, ask bool) (map[string]string, error) {
	secrets := map[string]string{}
	for purpose, file := range map[string]string{"token": *s.token, "api_token": *s.apiToken} {
		if file == "" {
			continue
		}
		secret, err := readSecret(file, stdin)
		if err != nil {
			return nil, err
		}
		secrets[purpose] = secret
	}
	if len(secrets) > 0 || !ask {
		return secrets, nil
	}
	if f, ok := stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(stderr, "Token (not shown): ")
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(stderr)
		if err != nil {
			return nil, err
		}
		secrets["token"] = strings.TrimSpace(string(b))
		return secrets, nil
	}
	return nil, fmt.Errorf("%w: no secret given (hint: --token-file FILE, or - for standard input)", errUsage)
}

// maxSecretBytes is far above any secret there is.
const maxSecretBytes = 8 << 10

func readSecret(file string, stdin io.Reader) (string, error) {
	var b []byte
	var err error
	if file == "-" {
		b, err = io.ReadAll(io.LimitReader(stdin, maxSecretBytes))
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
	}
}
