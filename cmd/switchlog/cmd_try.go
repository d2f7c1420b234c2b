package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/ingest/linking"
	"switchlog/ingest/registry"
)

func newSourceTest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test [KIND] [NAME]",
		Short: "Try a source's public address as its provider would",
		Long: "Send a correctly signed ping and a wrongly signed one to the source's public address, and say how they " +
			"were answered. Nothing of either is stored. Exit code 1 if the answers are not as they should be. KIND or NAME may be left out while it is clear which source is meant.",
	}
	return withServer(cmd, func(ctx context.Context, c *call) error {
		kind, name, err := kindAndName(ctx, c.client, c.args)
		if err != nil {
			return err
		}
		var t registry.Tested
		if err := c.call(ctx, "POST", sourcePath(kind, name)+"/test", nil, &t); err != nil {
			return err
		}
		err = c.answer(t, func() error {
			says := t.Says
			if linking.IsLoopback(t.URL) {
				says += ".\nOnly this machine was tried: nobody else can use that address (hint: serve --public-url says at which https address others reach it; switchlog link pluralkit lists ways to one)"
			}
			return c.say("%s\n  right signature: %s\n  wrong signature: %s\n%s", t.URL, tried(t.Right), tried(t.Wrong), says)
		})
		if err == nil && !t.OK {
			return errReported
		}
		return err
	})
}

func tried(t *registry.Tried) string {
	switch {
	case t == nil:
		return "not sent"
	case t.Error != "":
		return terminal.Plain(t.Error)
	}
	return fmt.Sprintf("answered %d in %d ms", t.Status, t.Millis)
}

// kindAndName finds the source that is meant: by kind and name, by its name, by
// its kind if there is one of it, or the only one there is.
func kindAndName(ctx context.Context, c *client, args []string) (kind, name string, err error) {
	if len(args) == 2 {
		return args[0], args[1], nil
	}
	list, err := c.sources(ctx)
	if err != nil {
		return "", "", err
	}
	var found, ofKind []sourceInfo
	for _, s := range list {
		if len(args) == 0 || s.Name == args[0] {
			found = append(found, s)
		}
		if len(args) == 1 && s.Kind == args[0] {
			ofKind = append(ofKind, s)
		}
	}
	if len(found) == 0 {
		found = ofKind
	}
	switch {
	case len(found) == 1:
		return found[0].Kind, found[0].Name, nil
	case len(found) > 1:
		return "", "", fmt.Errorf("%w: there are %d sources that may be meant (hint: switchlog source test KIND NAME; switchlog source list)", errUsage, len(found))
	case len(args) == 0:
		return "", "", errors.New("there are no sources yet (hint: switchlog source add --help)")
	}
	return "", "", fmt.Errorf("no source is called %q (hint: switchlog source list)", terminal.Plain(args[0]))
}
