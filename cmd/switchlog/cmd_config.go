package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

func newConfig(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "The settings that serve would use",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newConfigPrint(environ), newConfigCheck(environ))
	return cmd
}

// settingInfo is a setting as serve would use it.
type settingInfo struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`  // as text; *** stands for what is secret in it
	From    string `json:"from"`   // flag, environment, file or default
	Masked  bool   `json:"masked"` // something secret is left out
}

func newConfigPrint(environ []string) *cobra.Command {
	var c Config
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Every setting as serve would use it, and where it comes from",
		Long: "Every setting as serve would use it with the same flags, environment and switchlog.yaml, and where it comes from: flag, environment, file or default. " +
			"What is secret is shown as ***.",
	}
	c.settings(cmd.Flags())
	formatFlags(cmd, formatTable)
	return withAnswer(cmd, func(_ context.Context, call *call) error {
		r := c.read(call.cmd, environ)
		if len(r.problems) > 0 {
			return r.problems[0]
		}
		list := []settingInfo{}
		t := terminal.NewTable("SETTING", "VALUE", "FROM")
		for _, name := range r.names {
			value := r.flags[name].Value.String()
			if name == "secret-key-file" && value == "" {
				value = filepath.Join(c.Data, fileSecretKey)
			}
			shown := shownValue(name, value)
			list = append(list, settingInfo{Setting: name, Value: shown, From: r.from[name], Masked: shown != value})
			t.Add(name, orDash(shown), r.from[name])
		}
		return call.rows(list, t)
	})
}

func newConfigCheck(environ []string) *cobra.Command {
	var c Config
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Whether serve would take the settings",
		Long: "Whether serve would take the settings that it would have with the same flags, environment and switchlog.yaml: all that is wrong or unknown, each with a hint. " +
			"Nothing is started and nothing is written. The exit code is 1 if something is wrong.",
	}
	c.settings(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		problems := c.read(cmd, environ).problems
		if len(problems) == 0 {
			problems = c.checkFiles()
		}
		for _, p := range problems {
			text := strings.TrimPrefix(p.Error(), errUsage.Error()+": ")
			if !strings.Contains(text, "(hint: ") {
				text += " (hint: switchlog serve --help says what it takes)"
			}
			fmt.Fprintln(cmd.ErrOrStderr(), terminal.Plain(text))
		}
		if len(problems) > 0 {
			return errReported
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "The settings are right: switchlog serve would take them.")
		return err
	}
	return cmd
}

// checkFiles reads the files that settings name and serve reads when it starts.
func (c *Config) checkFiles() []error {
	if c.NATS == "" {
		return nil
	}
	u, err := url.Parse(c.NATS)
	if err == nil {
		_, err = c.natsUser(u)
	}
	if err != nil {
		return []error{err}
	}
	return nil
}
