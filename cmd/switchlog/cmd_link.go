package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/ingest/linking"
	"switchlog/ingest/registry"
	"switchlog/schemas"
)

// linked is the answer of link pluralkit.
type linked struct {
	Linked   bool   `json:"linked"`
	Address  string `json:"address"` // what PluralKit was given
	Name     string `json:"name"`    // of the source
	System   string `json:"system"`  // uuid; empty: not known yet
	Fronting string `json:"fronting,omitempty"`
}

func newLink() *cobra.Command {
	cmd := &cobra.Command{Use: "link", Short: "Connect PluralKit, step by step",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newLinkPluralKit())
	return cmd
}

// linkOptions are the flags of link pluralkit.
type linkOptions struct {
	tokenFile, apiTokenFile, system, imports, said string
	wait                                           time.Duration
}

func newLinkPluralKit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pluralkit",
		Short: "Have PluralKit send every change here",
		Long: "Shows the address and what to type in Discord, takes the token, waits for PluralKit's two PINGs, and says " +
			"in plain words what is wrong if they fail. It can be stopped and run again at any step.\n\n" +
			"Exit code 1 if PluralKit is not linked at the end.",
	}
	var o linkOptions
	f := cmd.Flags()
	f.StringVar(&o.tokenFile, "token-file", "", "file with the token the bot shows (-: standard input; default: ask)")
	f.StringVar(&o.apiTokenFile, "api-token-file", "", "file with the system's own API token (pk;token)")
	f.StringVar(&o.system, "system", "", "the system's uuid; needed beside another system")
	f.StringVar(&o.imports, "import", "", "a file of pk;export, for what was before")
	f.StringVar(&o.said, "said", "", "only explain what the bot answered")
	f.DurationVar(&o.wait, "wait", 6*time.Minute, "how long to wait for PluralKit")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		l := &linker{call: c, o: o, text: c.out}
		if c.json() {
			l.text = c.errOut
		}
		_, atTerminal := terminal.File(c.cmd.InOrStdin())
		l.asks = atTerminal && o.tokenFile == "" && !c.json()
		if o.said != "" {
			return l.explain(ctx, o.said)
		}
		return l.run(ctx)
	})
}

// linker is one conversation.
type linker struct {
	*call
	o    linkOptions
	text io.Writer // for people
	asks bool      // there is a person to ask
	at   linkState
	done linked
}

func (l *linker) tell(format string, args ...any) { fmt.Fprintf(l.text, format+"\n", args...) }

// passage writes a sentence, wrapped.
func (l *linker) passage(sentence string) { terminal.PrintWrapped(l.text, "", sentence) }

// run is the whole conversation.
func (l *linker) run(ctx context.Context) error {
	if err := l.call.call(ctx, "GET", "/api/admin/link", nil, &l.at); err != nil {
		return err
	}
	if l.at.Address == "" {
		return errors.New("this node takes no webhooks (hint: ask the one whose --roles have ingest, with --server or --data)")
	}
	source, exists, err := l.existing(ctx)
	if err != nil {
		return err
	}
	l.done.Address = l.at.Address
	if ok, err := l.showAddress(ctx); err != nil || !ok {
		return err
	}
	if exists && linkedAlready(source) && l.o.tokenFile == "" {
		l.tell("PluralKit is linked already: %s", lastSign(source))
		l.passage("(hint: to link it anew, type pk;system webhook URL in Discord, and give the new token: switchlog link pluralkit --token-file -)")
		return l.finish(ctx, source)
	}
	source, err = l.takeToken(ctx, source, exists)
	if err != nil {
		return err
	}
	l.tell("\n2. Now press Continue in Discord.\n   Waiting for PluralKit's two PINGs …\n")
	if err := l.await(ctx, source.Name); err != nil {
		return err
	}
	l.tell("\nLinked: PluralKit sends every change here from now on.")
	return l.finish(ctx, source)
}

// existing is the PluralKit source that is meant, if there is one.
func (l *linker) existing(ctx context.Context) (source sourceInfo, exists bool, err error) {
	list, err := l.sources(ctx)
	if err != nil {
		return source, false, err
	}
	var found []sourceInfo
	for _, s := range list {
		if s.Kind == schemas.PluralKit && (l.o.system == "" || strings.EqualFold(s.Tenant, l.o.system)) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return source, false, nil
	case 1:
		return found[0], true, nil
	}
	return source, false, fmt.Errorf("%w: there are %d PluralKit sources (hint: say which system: --system UUID; switchlog source list)", errUsage, len(found))
}

// linkedAlready reports whether PluralKit has ever sent something with the
// source's token.
func linkedAlready(s sourceInfo) bool { return s.LastPing != "" || s.Accepted > 0 }

func lastSign(s sourceInfo) string {
	if s.LastEvent != "" {
		return "the last event came " + ago(s.LastEvent)
	}
	return "it sent a PING " + ago(s.LastPing)
}

// showAddress says what to type in Discord, after it has looked whether PluralKit
// can reach the address. Not ok: a person must do something first.
func (l *linker) showAddress(ctx context.Context) (ok bool, err error) {
	if l.at.Loopback || linking.CheckURL(l.at.Address) != nil {
		l.done.Address = "https://YOUR-ADDRESS/in/" + schemas.PluralKit
		if !l.asks { // a script gave the token: it knows what it does
			l.passage("PluralKit cannot reach this server: it listens at " + l.at.Address + ", for this machine alone, and does not know its public address (hint: serve --public-url; switchlog link pluralkit at a terminal lists ways to one)")
			return true, nil
		}
		l.passage("PluralKit cannot reach this server yet: it listens at " + l.at.Address + ", for this machine alone, and does not know its public address.")
		l.tell("")
		l.showWays(ctx)
		l.passage("Then start the server with --public-url and its https address, and run this again.")
		return false, errReported
	}
	var r linking.Report
	if err := l.call.call(ctx, "POST", "/api/admin/link/check", nil, &r); err != nil {
		return false, err
	}
	for _, s := range r.Steps {
		printFinding(l.text, stepFinding(s))
	}
	if !r.OK && l.asks {
		l.tell("")
		return confirm(l.cmd, false, "PluralKit will say no as long as this is so. Go on all the same?")
	}
	return true, nil
}

func stepFinding(s linking.Step) finding {
	f := finding{Check: s.Step, Verdict: fine, Says: s.Says, Hint: s.Do}
	if !s.OK {
		f.Verdict = problem
	}
	return f
}

// showWays lists ways to a public address. What is installed is known only on
// the server's own machine.
func (l *linker) showWays(ctx context.Context) {
	m := linking.Machine{
		Installed: func(program string) bool { _, err := exec.LookPath(program); return err == nil },
		Output: func(ctx context.Context, program string, args ...string) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			return exec.CommandContext(ctx, program, args...).Output()
		},
	}
	if elsewhere, _ := l.cmd.Flags().GetString("server"); elsewhere != "" {
		m.Installed = func(string) bool { return false }
	}
	l.passage("Any of these gives it one (NAME is a name of yours):")
	for _, w := range linking.Ways(ctx, m, strings.TrimPrefix(l.at.Listens, "http://")) {
		needs := w.Needs
		if w.Installed {
			needs = "installed here; it needs " + needs
		}
		l.tell("")
		terminal.PrintWrapped(l.text, "  "+terminal.Paint(l.text, terminal.Bold, w.Name)+": ", needs)
		l.tell("      %s", w.Command)
		if w.Note != "" {
			terminal.PrintWrapped(l.text, "      ", w.Note)
		}
		if w.Warning != "" {
			terminal.PrintWrapped(l.text, "      "+terminal.Paint(l.text, terminal.Yellow, "careful: "), w.Warning)
		}
		if w.PublicURL != "" {
			l.tell("      → switchlog serve --public-url %s", w.PublicURL)
		}
	}
	l.tell("")
	l.passage("Without any: switchlog can ask PluralKit instead of being told, with answers that are up to a few minutes old: switchlog source add pluralkit --api-token-file -")
	l.tell("")
}

// takeToken shows what to type, takes the token and gives it to the server. It
// returns the source that has it.
func (l *linker) takeToken(ctx context.Context, s sourceInfo, exists bool) (sourceInfo, error) {
	l.tell("\n1. In a direct message to the PluralKit bot, send\n\n     pk;system webhook %s\n", l.done.Address)
	l.tell("   It answers with a token. Do not press Continue yet.\n")
	token, err := l.token(exists && !linkedAlready(s))
	if err != nil || token == "" {
		return s, err
	}
	secrets := map[string]string{"token": token}
	var out sourceAnswer
	if !exists {
		settings := map[string]string{}
		if l.o.system != "" {
			settings["system"] = l.o.system
		}
		err = l.call.call(ctx, "POST", "/api/admin/sources", map[string]any{"kind": schemas.PluralKit, "settings": settings, "secrets": secrets}, &out)
	} else {
		grace := "0s" // a token that PluralKit never used
		if linkedAlready(s) {
			grace = registry.DefaultGrace.String()
		}
		err = l.call.call(ctx, "POST", sourcePath(s.Kind, s.Name)+"/rotate", map[string]any{"secrets": secrets, "grace": grace}, &out)
	}
	var taken conflictError
	if exists && errors.As(err, &taken) && strings.Contains(err.Error(), "already") {
		l.tell("   The server has this token already.")
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if out.Warning != "" {
		l.note("%s %s", terminal.Paint(l.errOut, terminal.Yellow, "warning:"), terminal.Plain(out.Warning))
	}
	l.tell("   The server knows the token now.")
	s.Kind, s.Name, s.Tenant = out.Kind, out.Name, out.Tenant
	return s, nil
}

// token asks for the token or reads it. Empty, which only a person may say: the
// one that was given before is waited for.
func (l *linker) token(before bool) (string, error) {
	if l.o.tokenFile != "" {
		return readSecret(l.cmd, "token", l.o.tokenFile)
	}
	what := "   token"
	if before {
		what = "   token (Enter: the one given before)"
	}
	for {
		token, err := askSecret(l.cmd, what, "--token-file")
		if err != nil || token != "" || before {
			return token, err
		}
	}
}

// explain translates what the bot said, and looks at the address if that may be
// why.
func (l *linker) explain(ctx context.Context, said string) error {
	advice, ok := linking.Said(said)
	if !ok {
		return fmt.Errorf("%w: that is nothing PluralKit's bot is known to say (hint: paste its whole sentence, or the word in brackets)", errUsage)
	}
	printFinding(l.text, stepFinding(linking.Step{Step: "PluralKit", Advice: advice}))
	if advice.OK {
		return nil
	}
	var r linking.Report
	if err := l.call.call(ctx, "POST", "/api/admin/link/check", nil, &r); err != nil {
		return err
	}
	l.tell("\nTried from here:")
	for _, s := range r.Steps {
		printFinding(l.text, stepFinding(s))
	}
	if r.OnlyLoopback {
		l.passage("That reached only this machine: how others reach it was not tried.")
	}
	return nil
}

// readLine reads a line a person types, and no byte more: what follows may be a
// secret.
func readLine(f *os.File) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := f.Read(b)
		if n == 1 && b[0] == '\n' {
			return strings.TrimSpace(string(line)), nil
		}
		line = append(line, b[:n]...)
		if err != nil {
			return strings.TrimSpace(string(line)), err
		}
	}
}
