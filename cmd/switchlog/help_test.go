package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

// allCommands are the root and all below it.
func allCommands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, allCommands(sub)...)
	}
	return all
}

// runCommand runs the program with these arguments, in an empty folder.
func runCommand(t *testing.T, environ []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = run(t.Context(), append([]string{"switchlog"}, args...), environ, strings.NewReader(""), &out, &errOut)
	return out.String(), errOut.String(), code
}

var limitAndDefault = regexp.MustCompile(`\(\d+\)\s+\(default `)

// TestHelpFits: the help of every command says what it does, has no line above
// 80 columns, and declares the flags that all commands of its kind have.
func TestHelpFits(t *testing.T) {
	t.Chdir(t.TempDir())
	commands := allCommands(newRoot("switchlog", nil))
	if len(commands) < 40 {
		t.Fatalf("got %d commands", len(commands))
	}
	for _, cmd := range commands {
		path := strings.Fields(cmd.CommandPath())[1:]
		if cmd.Hidden {
			continue
		}
		out, errOut, code := runCommand(t, nil, append(slices.Clone(path), "--help")...)
		if code != exitOK || errOut != "" || !strings.Contains(out, "Usage:\n  switchlog") {
			t.Errorf("%s --help: got exit code %d, %q, %q", cmd.CommandPath(), code, out, errOut)
		}
		for line := range strings.Lines(out) {
			if n := terminal.Cells(strings.TrimSuffix(line, "\n")); n > helpWidth {
				t.Errorf("%s --help: %d columns, want at most %d: %s", cmd.CommandPath(), n, helpWidth, line)
			}
		}
		if limitAndDefault.MatchString(out) {
			t.Errorf("%s --help: a flag says its limit and its default in two brackets:\n%s", cmd.CommandPath(), out)
		}
	}
}

// TestAdminTokenFlag: the admin token's flag has one name; --token-file is a
// source's own.
func TestAdminTokenFlag(t *testing.T) {
	for _, cmd := range allCommands(newRoot("switchlog", nil)) {
		if f := cmd.Flags().Lookup("token-file"); f != nil && !strings.Contains(cmd.CommandPath(), "switchlog source ") && cmd.CommandPath() != "switchlog link pluralkit" {
			t.Errorf("%s has --token-file (%s), want --admin-token-file", cmd.CommandPath(), f.Usage)
		}
		asksNobody := []string{"switchlog version", "switchlog schema list", "switchlog config print", "switchlog bench latency"} // the last has a server of its own
		if answers := cmd.Flags().Lookup("json") != nil; answers && cmd.Flags().Lookup("admin-token-file") == nil && !slices.Contains(asksNobody, cmd.CommandPath()) {
			t.Errorf("%s answers and has no --admin-token-file", cmd.CommandPath())
		}
	}
}

// foreignWords are those of the libraries and of Go, which say nothing to the
// person who typed a command.
var foreignWords = regexp.MustCompile(`arg\(s\)|for "switchlog|strconv|parsing|invalid syntax|invalid argument|unknown shorthand|parse "|hint: .*hint: `)

// TestUsageWords: what is typed wrong is exit code 2, in our words, with one
// hint.
func TestUsageWords(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args string
		says string
	}{
		{"statu", "did you mean status?"},
		{"webook list", "did you mean webhook?"},
		{"nonsense", "switchlog --help"},
		{"source lst", "did you mean list?"},
		{"source", ""},
		{"serve extra", "takes no arguments"},
		{"source show", "wants KIND [NAME], and 0 arguments are given"},
		{"source show pluralkit a b", "3 arguments are given"},
		{"source show plural", "kind \"plural\" is none of: pluralkit"},
		{"source add nonesuch", "none of: pluralkit"},
		{"source add discord", "wants NAME, and 0 arguments are given"},
		{"source add discord one", "no secret given, the public key (hint: --public-key)"},
		{"source add pluralkit", "no secret given, the token (hint: --token-file)"},
		{"webhook show", "wants ID"},
		{"explain members", "wants TABLE KEY, and 1 argument is given"},
		{"webhook deliveries x --limit many", `--limit "many": want a whole number`},
		{"webhook add --rate fast", `--rate "fast": want a number`},
		{"source rotate pluralkit --grace soon", `--grace "soon": want a duration, such as 90s, 10m or 2h`},
		{"status --wach", "did you mean --watch?"},
		{"status --admin-token-file", "--admin-token-file wants a value"},
		{"serve --roles nosuch", `--roles "nosuch"`},
		{"query --format xml", `none of table, csv, json`},
		{"query fronters yesterday", `"yesterday" is not key=value`},
		{"replay --speed fast", "--speed"},
		{"status --server 127.0.0.1:1:2", "--server http://127.0.0.1:8081"},
		{"status --server ftp://127.0.0.1", "--server http://127.0.0.1:8081"},
		{"replay --out ftp://example.org/x --server 127.0.0.1:1", ""},
		{"\x1b[31m", "�[31m"},
	} {
		_, errOut, code := runCommand(t, nil, strings.Split(c.args, " ")...)
		if c.says == "" {
			if foreignWords.MatchString(errOut) {
				t.Errorf("%s: got %q", c.args, errOut)
			}
			continue
		}
		if code != exitUsage || !strings.Contains(errOut, c.says) || foreignWords.MatchString(errOut) || strings.Count(errOut, "(hint: ") > 1 || strings.Contains(errOut, "\x1b") {
			t.Errorf("%s: got exit code %d, %q\nwant %d, %q and one hint", c.args, code, errOut, exitUsage, c.says)
		}
	}
	if out, _, code := runCommand(t, nil, "--version"); code != exitOK || !strings.HasPrefix(out, "switchlog devel (go1.") {
		t.Errorf("--version: got exit code %d, %q", code, out)
	}
}

// TestSettingsEverywhere: a setting there is not, or with a wrong value, is an
// error for every command, whether that one uses it or not.
func TestSettingsEverywhere(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, command := range []string{"serve", "status", "version", "schema list", "source add pluralkit", "replay"} {
		for env, says := range map[string]string{
			"SWITCHLOG_LISTN=127.0.0.1:0":        "did you mean SWITCHLOG_LISTEN?",
			"SWITCHLOG_COLOUR=never":             "unknown setting SWITCHLOG_COLOUR",
			"SWITCHLOG_RECONCILE_EVERY=sometime": "SWITCHLOG_RECONCILE_EVERY",
		} {
			_, errOut, code := runCommand(t, []string{env}, strings.Fields(command)...)
			if code != exitUsage || !strings.Contains(errOut, says) {
				t.Errorf("%s with %s: got exit code %d, %q, want %d and %q", command, env, code, errOut, exitUsage, says)
			}
		}
		writeTestFile(t, configFile, "listn: 127.0.0.1:0\n")
		_, errOut, code := runCommand(t, nil, strings.Fields(command)...)
		if code != exitUsage || !strings.Contains(errOut, `unknown setting "listn" (hint: did you mean listen?)`) {
			t.Errorf("%s with a wrong %s: got exit code %d, %q", command, configFile, code, errOut)
		}
		writeTestFile(t, configFile, "")
	}
	if _, errOut, code := runCommand(t, []string{"SWITCHLOG_LISTEN=127.0.0.1:0", "SWITCHLOG_NATS_PASSWORD=x"}, "version"); code != exitOK {
		t.Errorf("settings there are: got exit code %d, %q", code, errOut)
	}
}
