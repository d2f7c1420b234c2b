package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

// helpWidth is how wide help is on any terminal.
const helpWidth = 80

// showHelp writes a command's help: it takes the place of cobra's templates,
// which write lines of any length.
func showHelp(cmd *cobra.Command, _ []string) {
	fmt.Fprint(cmd.OutOrStdout(), helpText(cmd))
}

func helpText(cmd *cobra.Command) string {
	var b strings.Builder
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	b.WriteString(terminal.Reflow(strings.TrimSpace(long), helpWidth) + "\n\nUsage:\n  ")
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "%s COMMAND\n\nAvailable Commands:\n", cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				fmt.Fprintf(&b, "  %-*s  %s\n", cmd.Commands()[0].NamePadding(), sub.Name(), sub.Short)
			}
		}
	} else {
		b.WriteString(cmd.UseLine() + "\n")
	}
	if cmd.HasExample() {
		b.WriteString("\nExamples:\n" + cmd.Example + "\n")
	}
	for _, group := range []struct{ title, usages string }{
		{"Flags", cmd.LocalFlags().FlagUsagesWrapped(helpWidth)},
		{"Flags of every command", cmd.InheritedFlags().FlagUsagesWrapped(helpWidth)},
	} {
		if group.usages != "" {
			b.WriteString("\n" + group.title + ":\n" + group.usages)
		}
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help says more about a command.\n", cmd.CommandPath())
	}
	return b.String()
}
