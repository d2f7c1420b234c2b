package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // hours of statistics are right also where the machine has no time zones

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// errReported is returned by a command that has already said what is wrong.
var errReported = errors.New("reported")

// run is the program: main does nothing else, and tests call it. args[0] is the
// program as it was called.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(args[0], environ)
	root.SetArgs(args[1:])
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errReported):
		return exitFailed
	}
	fmt.Fprintln(stderr, "switchlog:", terminal.PlainLines(err.Error()))
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// newRoot builds the command tree. What there is can be read here.
func newRoot(program string, environ []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "switchlog",
		Short: "Webhooks in, a log you can rely on, a database of what is true",
		Long: "switchlog takes what PluralKit says once and keeps it: every event on disk, in order,\n" +
			"as a log you can subscribe to and replay, and as a database of who fronts and who fronted.\n\n" +
			"Start with: switchlog serve",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Version:       versionLine(),
		// A setting that is not one, or has a wrong value, is an error for every
		// command: what serve would refuse, status must not overlook.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return checkSettings(cmd, environ) },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetHelpFunc(showHelp)
	root.PersistentFlags().String("data", dataDirectory(environ), "directory that holds everything switchlog keeps")
	root.PersistentFlags().String("server", "", "private address of a server elsewhere, such as http://127.0.0.1:8081 (default: the server of --data)")
	root.AddCommand(
		newServe(program, environ),
		newLink(),
		newSource(),
		newWebhook(),
		newFront(),
		newStatus(),
		newOpen(),
		newTail(),
		newReplay(),
		newImport(),
		newExport(),
		newRebuild(),
		newVerify(),
		newReconcile(),
		newDoctor(),
		newExplain(),
		newQuery(),
		newSQL(),
		newAccess(),
		newNATSConfig(),
		newConfig(environ),
		newSchema(),
		newBench(environ),
		newVersion(),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	usageErrors(root)
	completeNames(root)
	return root
}
