package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"switchlog/cmd/switchlog/loglimit"
	"switchlog/cmd/switchlog/terminal"
)

func newServe(program string, environ []string) *cobra.Command {
	var c Config
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run everything: webhooks in, the log, the database, the answers",
		Long: "Run everything in one process: a listener for webhooks, a spool on disk, NATS with JetStream inside,\n" +
			"the database, and a private listener for questions and commands. It needs no configuration.\n\n" +
			"Every flag can also be given in the environment (SWITCHLOG_PRIVATE_LISTEN=…) or in switchlog.yaml in\n" +
			"the working directory (private-listen: …). Flags win over the environment, that over the file.",
	}
	c.settings(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.load(cmd, environ); err != nil {
			return err
		}
		return serve(cmd.Context(), c, program, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// serve runs a node until ctx ends. What to do next is shown as commands of
// program, the way it was called.
func serve(ctx context.Context, c Config, program string, stdout, stderr io.Writer) error {
	n, err := openNode(c, newLogger(c, stderr))
	if err != nil {
		return err
	}
	if c.LogFormat == "json" { // a collector of logs reads both outputs as one
		return n.run(ctx, n.logReady(slog.New(slog.NewJSONHandler(terminal.EscapedJSON(stdout), nil))))
	}
	return n.run(ctx, n.printReady(stdout, program))
}

// printReady announces the node to a person.
func (n *node) printReady(stdout io.Writer, program string) announcer {
	announced := false
	return func(e Endpoints, problems []string) error {
		if !announced {
			announced = true
			n.printListeners(stdout, e, program)
		}
		if len(problems) > 0 { // no word that a script could take for success
			fmt.Fprintln(stdout, "\nwaiting. Webhooks are taken; the rest waits until this is put right:")
			for _, p := range problems {
				fmt.Fprintln(stdout, "  !", p)
			}
			return nil
		}
		if len(n.registry.Sources()) == 0 && n.runs(roleIngest) {
			fmt.Fprintf(stdout, "\nready. Nobody may send anything yet. Next, in another terminal:\n  %[1]s source add pluralkit --token-file -%[2]s\n  %[1]s source add pluralkit --help    says where to get the token\n", program, dataFlag(n.cfg))
		} else {
			fmt.Fprintln(stdout, "\nready. See how it is doing with: "+program+" status"+dataFlag(n.cfg))
		}
		return nil
	}
}

// logReady announces the node as lines of the log: one for each listener, and
// one that says whether it is ready.
func (n *node) logReady(log *slog.Logger) announcer {
	announced := false
	return func(e Endpoints, problems []string) error {
		if !announced {
			announced = true
			for _, l := range []struct{ name, url string }{{"public", e.Public}, {"private", e.Private}, {"nats", e.NATS}} {
				if l.url != "" {
					log.Info("listening", "listener", l.name, "url", l.url)
				}
			}
		}
		if len(problems) > 0 {
			log.Warn("waiting: webhooks are taken; the rest waits until this is put right", "problems", problems)
		} else {
			log.Info("ready")
		}
		return nil
	}
}

// printListeners says where the node listens.
func (n *node) printListeners(stdout io.Writer, e Endpoints, program string) {
	if e.Public != "" {
		fmt.Fprintf(stdout, "public   %s   webhooks come in here\n", e.Public)
	}
	fmt.Fprintf(stdout, "private  %s   questions and commands, with the token in %s\n", e.Private, n.path(fileAdmin))
	fmt.Fprintf(stdout, "nats     %s   live events, with the password of: %s access show admin%s\n", e.NATS, program, dataFlag(n.cfg))
}

func dataFlag(c Config) string {
	if c.Data == defaultData {
		return ""
	}
	return " --data " + c.Data
}

// newLogger logs text to a terminal and JSON to anything else.
func newLogger(c Config, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if c.Debug {
		o.Level = slog.LevelDebug
	}
	asText := c.LogFormat == "text"
	if f, ok := w.(*os.File); ok && c.LogFormat == "" {
		asText = term.IsTerminal(int(f.Fd()))
	}
	if asText {
		return slog.New(loglimit.New(slog.NewTextHandler(w, o), loglimit.Faults, time.Now)) // which quotes what is not printable
	}
	return slog.New(loglimit.New(slog.NewJSONHandler(terminal.EscapedJSON(w), o), loglimit.Faults, time.Now))
}
