package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchlog/cmd/switchlog/terminal"
)

// errUsage is wrapped by every error that is the fault of how the command was
// called, wrong values included: exit code 2.
var errUsage = errors.New("usage")

// refusedError is an error of errUsage that does not begin with that word: the
// server refused a value.
type refusedError struct{ error }

func (e refusedError) Unwrap() []error { return []error{errUsage, e.error} }

// usageErrors makes every mistake in flags and arguments an errUsage in our
// words, on the command and all below it.
func usageErrors(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: %s (hint: %s --help)", errUsage, flagError(c, err), c.CommandPath())
	})
	cmd.Flags().BoolP("help", "h", false, "this help")
	if cmd.Args == nil {
		cmd.Args = checkArgs
	}
	for _, sub := range cmd.Commands() {
		usageErrors(sub)
	}
}

// checkArgs wants as many arguments as the command's usage names; in brackets
// stand those that may be left out, and … means any number.
func checkArgs(cmd *cobra.Command, args []string) error {
	if cmd.HasSubCommands() {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		return fmt.Errorf("%w: %s has no command %q (hint: %s)", errUsage, cmd.CommandPath(), terminal.Plain(args[0]), didYouMean(args[0], names, cmd.CommandPath()+" --help"))
	}
	least, most := 0, 0
	_, wanted, _ := strings.Cut(cmd.Use, " ")
	for _, word := range strings.Fields(wanted) {
		if strings.HasSuffix(strings.Trim(word, "[]"), "…") {
			most = len(args)
			continue
		}
		most++
		if !strings.HasPrefix(word, "[") {
			least++
		}
	}
	if len(args) >= least && len(args) <= max(most, least) {
		return nil
	}
	if wanted == "" {
		return fmt.Errorf("%w: %s takes no arguments, not %q (hint: %[2]s --help)", errUsage, cmd.CommandPath(), terminal.Plain(args[0]))
	}
	return fmt.Errorf("%w: %s wants %s, and %d %s given (hint: %[2]s --help)", errUsage, cmd.CommandPath(), wanted, len(args), counted(len(args), "argument is", "arguments are"))
}

func counted(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// flagError says what is wrong with a flag, without the words of the library
// and of Go.
func flagError(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		says := "unknown flag --" + terminal.Plain(unknown.GetSpecifiedName())
		if near := nearest(unknown.GetSpecifiedName(), names); near != "" {
			says += "; did you mean --" + near + "?"
		}
		return says
	case errors.As(err, &value):
		return fmt.Sprintf("--%s %q: %s", value.GetFlag().Name, terminal.Plain(maskSecrets(value.GetValue())), wantedOf(value.GetFlag(), value.Unwrap()))
	case errors.As(err, &missing):
		return "--" + missing.GetSpecifiedName() + " wants a value"
	}
	return err.Error()
}

// wantedOf says what a flag takes that refused a value with this error.
func wantedOf(f *pflag.Flag, refused error) string {
	switch f.Value.Type() {
	case "int", "int64", "uint", "uint64":
		return "want a whole number"
	case "float64":
		return "want a number"
	case "duration":
		return "want a duration, such as 90s, 10m or 2h"
	case "bool":
		return "want true or false"
	}
	said, _, _ := strings.Cut(refused.Error(), " (hint: ") // there is one at the end
	return said
}

// didYouMean is a hint for a name there is not: the nearest one there is, or
// else where the names are listed.
func didYouMean(name string, names []string, list string) string {
	if near := nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	return list
}

// nearest is the name that was probably meant, or empty: at most two letters,
// and a third of them, are other, or it begins with what was given.
func nearest(given string, names []string) string {
	best, distance := "", 3
	for _, name := range names {
		if len(given) > 1 && strings.HasPrefix(name, given) {
			return name
		}
		if d := editDistance(given, name); d < distance && d*3 <= max(len(given), 3) {
			best, distance = name, d
		}
	}
	return best
}

// editDistance counts the letters to insert, remove, replace or swap with the
// next to make b of a (optimal string alignment).
func editDistance(a, b string) int {
	from, to := []rune(a), []rune(b)
	if len(from) > 64 || len(to) > 64 {
		return 64 // what a person mistyped is shorter
	}
	d := make([][]int, len(from)+1)
	for i := range d {
		d[i] = make([]int, len(to)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(from); i++ {
		for j := 1; j <= len(to); j++ {
			other := 1
			if from[i-1] == to[j-1] {
				other = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+other)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(from)][len(to)]
}
