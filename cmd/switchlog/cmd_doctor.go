package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

// verdict is what a check of the doctor came to.
type verdict string

const (
	fine    verdict = "ok"
	warning verdict = "warning" // it works, and something wants a look
	problem verdict = "problem" // it does not work, or something is lost unless a person acts
)

// finding is one check of the doctor.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Says    string  `json:"says"`
	Hint    string  `json:"hint,omitempty"` // what to do next
}

// found makes a finding of an error, whose hint is at its end: "(hint: …)".
func found(check string, v verdict, says string) finding {
	f := finding{Check: check, Verdict: v, Says: says}
	if i := strings.LastIndex(says, "(hint: "); i >= 0 {
		f.Says, f.Hint = strings.TrimSpace(says[:i]), strings.TrimSuffix(strings.TrimSpace(says[i+len("(hint: "):]), ")")
	}
	return f
}

func newDoctor() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong, and say what to do",
		Long: "Look at the data directory, the disk, the clock, the files, and at the server if it runs: whether the " +
			"log is whole (all of it is read), what waits, what is behind. It plays PluralKit's part against the public address: name, IPv4, certificate, both PINGs. It changes nothing.\n\n" +
			"Exit code 1 if there is a problem; warnings alone are 0.",
	}
	quick := cmd.Flags().Bool("quick", false, "do not read the whole log and all files, nor try the public address")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		findings := c.examine(ctx, *quick)
		problems := 0
		for _, f := range findings {
			if f.Verdict == problem {
				problems++
			}
		}
		err := c.answer(findings, func() error { return printFindings(c.out, findings, problems) })
		if err == nil && problems > 0 {
			return errReported
		}
		return err
	})
}

// examine makes all checks: those of this machine only if the server is on it.
func (c *call) examine(ctx context.Context, quick bool) []finding {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	var findings []finding
	data, _ := c.cmd.Flags().GetString("data")
	if elsewhere, _ := c.cmd.Flags().GetString("server"); elsewhere == "" {
		findings = examineMachine(ctx, data, quick)
	}
	path := "/api/admin/doctor"
	if quick {
		path += "?" + url.Values{"quick": {"true"}}.Encode()
	}
	var there []finding
	if err := c.call(ctx, "GET", path, nil, &there); err != nil {
		return append(findings, found("server", problem, err.Error()))
	}
	return append(findings, there...)
}

func printFindings(w io.Writer, findings []finding, problems int) error {
	for _, f := range findings {
		printFinding(w, f)
	}
	says := fmt.Sprint(problems, " problems")
	switch problems {
	case 0:
		says = "nothing is wrong"
	case 1:
		says = "1 problem"
	}
	_, err := fmt.Fprintf(w, "\n%s\n", says)
	return err
}

// printFinding shows one check, and below it what to do.
func printFinding(w io.Writer, f finding) {
	mark := map[verdict]string{
		fine: terminal.Paint(w, terminal.Green, " ok "), warning: terminal.Paint(w, terminal.Yellow, "look"), problem: terminal.Paint(w, terminal.Red, "BAD "),
	}[f.Verdict]
	terminal.PrintWrapped(w, fmt.Sprintf("%s  %-12s ", mark, f.Check), f.Says)
	if f.Hint != "" {
		terminal.PrintWrapped(w, "                   → ", f.Hint)
	}
}
