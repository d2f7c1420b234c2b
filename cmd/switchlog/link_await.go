package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/ingest"
	"switchlog/schemas"
)

// Times of the wait for PluralKit.
const (
	pairWithin = 15 * time.Second // after the first PING the second comes at once, or not
	askAfter   = 40 * time.Second // without a PING, a person is asked what the bot says
)

// await waits for both PINGs of the source's token.
func (l *linker) await(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, l.o.wait)
	defer cancel()
	after, first := l.at.Pings, time.Time{}
	quiet := time.Now()
	for {
		var pings []ingest.Ping
		err := l.call.call(ctx, "GET", fmt.Sprintf("/api/admin/link/pings?after=%d", after), nil, &pings)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return l.gaveUp(!first.IsZero())
		}
		if err != nil {
			return err
		}
		for _, p := range pings {
			after, quiet = p.Number, time.Now()
			switch done, err := l.pinged(p, name, &first); {
			case err != nil:
				return err
			case done:
				return nil
			}
		}
		if !first.IsZero() && time.Since(first) > pairWithin {
			l.tell(" look  The second PING did not come here: PluralKit got another answer to the first than 200, or something else answered the second.")
			first = time.Time{}
		}
		if l.asks && time.Since(quiet) > askAfter {
			if err := l.askWhatBotSays(ctx); err != nil {
				return err
			}
			quiet = time.Now()
		}
	}
}

// pinged says what a PING means. Done: it was the second of the pair.
func (l *linker) pinged(p ingest.Ping, name string, first *time.Time) (done bool, err error) {
	mine := p.Source == name && p.Result != ingest.PingEarly
	switch p.Result {
	case ingest.PingRight:
		if mine {
			*first, l.done.System = p.Time, p.System
			printFinding(l.text, finding{Check: "right token", Verdict: fine, Says: "the first PING was answered 200"})
		}
	case ingest.PingWrong:
		if !first.IsZero() && p.System == l.done.System {
			printFinding(l.text, finding{Check: "wrong token", Verdict: fine, Says: "the second PING, with a wrong token, was answered 401"})
			return true, nil
		}
	case ingest.PingEarly:
		printFinding(l.text, found("PING", problem, ingest.EarlyWords))
		if l.asks {
			return false, errReported // the person starts again with the new token
		}
	case ingest.PingOther:
		if mine {
			printFinding(l.text, found("PING", problem, fmt.Sprintf("the token is right, and the PING names the system %s, which is not the source's (hint: to link another system beside it: switchlog link pluralkit --system %s)", terminal.Plain(p.System), terminal.Plain(p.System))))
		}
	case ingest.PingEmpty:
		printFinding(l.text, finding{Check: "PING", Verdict: problem, Says: "a request came without its body: something on the way takes it away",
			Hint: "let the proxy pass on the bodies of POST, then type pk;system webhook URL once more"})
	}
	return false, nil
}

// gaveUp is the error when the time is over.
func (l *linker) gaveUp(first bool) error {
	if first {
		return errors.New("only the first of PluralKit's two PINGs came here (hint: what does the bot say? switchlog link pluralkit --said \"…\" explains it)")
	}
	return fmt.Errorf("PluralKit's PINGs did not come within %s (hint: was Continue pressed? What does the bot say? switchlog link pluralkit --said \"…\" explains it; to wait on, run this again)", l.o.wait)
}

// askWhatBotSays asks the person while nothing comes.
func (l *linker) askWhatBotSays(ctx context.Context) error {
	f, ok := terminal.File(l.cmd.InOrStdin())
	if !ok {
		return nil
	}
	fmt.Fprint(l.errOut, "Nothing has come yet. Paste what the bot says (Enter: wait on): ")
	said, err := readLine(f)
	if err != nil && !errors.Is(err, io.EOF) || said == "" {
		return err
	}
	if err := l.explain(ctx, said); errors.Is(err, errUsage) {
		l.passage(err.Error())
	} else if err != nil {
		return err
	}
	return nil
}

// finish offers what makes the link whole: the API token, and the time before.
// Then it says who fronts.
func (l *linker) finish(ctx context.Context, s sourceInfo) error {
	s, err := l.call.source(ctx, s.Kind, s.Name)
	if err != nil {
		return err
	}
	if err := l.takeAPIToken(ctx, s); err != nil {
		return err
	}
	if err := l.takeExport(ctx, s); err != nil {
		return err
	}
	if s.Tenant != "" {
		if l.done.Fronting, err = l.fronting(ctx, s.Tenant); err != nil {
			return err
		}
		l.tell("\n%s", l.done.Fronting)
	}
	l.done.Linked, l.done.Name, l.done.System = true, s.Name, s.Tenant
	if l.json() {
		return printJSON(l.out, l.done)
	}
	return nil
}

// source is one source.
func (c *call) source(ctx context.Context, kind, name string) (s sourceInfo, err error) {
	return s, c.call(ctx, "GET", sourcePath(kind, name), nil, &s)
}

// takeAPIToken gives the server the token by which it asks PluralKit, and has it
// ask.
func (l *linker) takeAPIToken(ctx context.Context, s sourceInfo) error {
	token, err := "", error(nil)
	switch {
	case l.o.apiTokenFile != "":
		token, err = readSecret(l.cmd, "API token", l.o.apiTokenFile)
	case l.asks && !slices.Contains(s.Secrets, purposeAPIToken):
		l.tell("")
		l.passage("PluralKit sends each change once, and some never. With the system's API token switchlog asks for what it missed, and for what was before. In a direct message to the bot: pk;token")
		token, err = askSecret(l.cmd, "API token (Enter: none)", "--api-token-file")
	}
	if err != nil || token == "" {
		return err
	}
	in := map[string]any{"secrets": map[string]string{"api_token": token}, "grace": "0s"}
	var out sourceAnswer
	err = l.call.call(ctx, "POST", sourcePath(s.Kind, s.Name)+"/rotate", in, &out)
	var taken conflictError
	if err != nil && !errors.As(err, &taken) {
		return err
	}
	if s.Tenant == "" {
		l.passage("PluralKit is asked once the first PING or event says whose the source is.")
		return nil
	}
	l.tell("Asking PluralKit for what is there …")
	if err := l.reconcileQuietly(ctx, s.Tenant); err != nil {
		l.passage("PluralKit was asked, and that did not work: " + err.Error() + ". It is asked again by itself.")
	}
	return nil
}

// reconcileQuietly compares with PluralKit and says nothing of how it went but an
// error.
func (l *linker) reconcileQuietly(ctx context.Context, system string) error {
	_, err := followLines(ctx, l.client, "/api/admin/reconcile?tenant="+system, func(_ []byte, p progress) error {
		showBar(l.errOut, p)
		return nil
	})
	return err
}

// takeExport imports a file of pk;export.
func (l *linker) takeExport(ctx context.Context, s sourceInfo) error {
	name := l.o.imports
	if f, ok := terminal.File(l.cmd.InOrStdin()); name == "" && l.asks && ok {
		l.tell("")
		l.passage("If you have a file that pk;export made, switchlog knows who fronted before.")
		fmt.Fprint(l.errOut, "its path (Enter: none): ")
		var err error
		if name, err = readLine(f); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	if name == "" {
		return nil
	}
	a, err := l.importFile(ctx, name, s.Tenant)
	if err != nil || a.Export == nil {
		return err
	}
	return a.Export.print(l.text, l.errOut)
}

// fronting says who fronts.
func (c *call) fronting(ctx context.Context, tenant string) (string, error) {
	var front struct {
		Since   string
		Members []struct {
			Name        string
			DisplayName string `json:"display_name"`
		}
	}
	in := map[string]any{"source": schemas.PluralKit, "name": "fronters", "params": map[string]string{"tenant": tenant}}
	if err := c.call(ctx, "POST", "/api/admin/query", in, &front); err != nil {
		return "", err
	}
	var names []string
	for _, m := range front.Members {
		switch {
		case m.DisplayName != "":
			names = append(names, terminal.Plain(m.DisplayName))
		case m.Name != "":
			names = append(names, terminal.Plain(m.Name))
		default:
			names = append(names, "someone whose name is not known yet")
		}
	}
	switch {
	case front.Since == "":
		return "Who fronts is not known yet: the next switch will say.", nil
	case len(names) == 0:
		return "Nobody fronts, since " + localTime(front.Since) + ".", nil
	}
	verb := "fronts"
	if len(names) > 1 {
		verb = "front"
	}
	return fmt.Sprintf("%s %s, since %s.", strings.Join(names, ", "), verb, localTime(front.Since)), nil
}

// localTime is a time as people here read it.
func localTime(rfc3339 string) string {
	t, err := time.Parse(time.RFC3339Nano, rfc3339)
	if err != nil {
		return rfc3339
	}
	return t.Local().Format("Mon 2 Jan 2006, 15:04")
}
