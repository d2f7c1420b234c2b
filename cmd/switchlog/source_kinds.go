package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/ingest"
)

// sourceKind is a kind of source with what its commands do.
type sourceKind struct{ ingest.Kind }

// sourceKinds are the kinds there are, as `source add KIND` takes them.
func sourceKinds() []sourceKind {
	kinds := make([]sourceKind, len(ingest.Kinds))
	for i, k := range ingest.Kinds {
		kinds[i] = sourceKind{k}
	}
	return kinds
}

func sourceKindNamed(name string) (sourceKind, bool) {
	for _, k := range sourceKinds() {
		if k.Name == name {
			return k, true
		}
	}
	return sourceKind{}, false
}

func sourceKindNames() string {
	names := make([]string, len(ingest.Kinds))
	for i, k := range ingest.Kinds {
		names[i] = k.Name
	}
	return strings.Join(names, ", ")
}

// addFlags declares the flags of a kind that are not there yet; secretsOnly
// leaves out its settings.
func (k sourceKind) addFlags(f *pflag.FlagSet, secretsOnly bool) {
	for _, flag := range k.Shell.Flags {
		if f.Lookup(flag.Name) != nil || secretsOnly && flag.Purpose == "" {
			continue
		}
		switch flag.Form {
		case ingest.FlagYesNo:
			f.Bool(flag.Name, false, flag.Doc)
		case ingest.FlagList:
			f.StringArray(flag.Name, nil, flag.Doc)
		default:
			f.String(flag.Name, "", flag.Doc)
		}
	}
}

// read collects what the flags of a kind say.
func (k sourceKind) read(cmd *cobra.Command) (settings, secrets map[string]string, err error) {
	f := cmd.Flags()
	settings, secrets = map[string]string{}, map[string]string{}
	for _, flag := range k.Shell.Flags {
		given := f.Lookup(flag.Name)
		if given == nil || !given.Changed {
			continue
		}
		value := given.Value.String()
		switch flag.Form {
		case ingest.FlagFile:
			if value, err = readSecret(cmd, k.secretName(flag), value); err != nil {
				return nil, nil, err
			}
		case ingest.FlagList:
			list, err := f.GetStringArray(flag.Name)
			if err != nil {
				return nil, nil, err
			}
			value = strings.Join(list, ",")
		}
		if flag.Purpose != "" {
			secrets[flag.Purpose] = value
		} else {
			settings[flag.Setting] = value
		}
	}
	return settings, secrets, nil
}

// ask asks a person at a terminal for the first secret of a kind, unseen, if
// no flag gave one and none is done without.
func (k sourceKind) ask(settings, secrets map[string]string, cmd *cobra.Command) error {
	if len(secrets) > 0 || k.PathKey != nil && k.PathKey(settings) {
		return nil
	}
	if settings == nil && k.PathKey != nil {
		return nil // a rotation: a source that a path lets in gets a new one
	}
	first := k.Shell.Flags[0]
	if first.Form != ingest.FlagFile {
		return fmt.Errorf("%w: no secret given, the %s (hint: --%s)", errUsage, k.secretName(first), first.Name)
	}
	secret, err := askSecret(cmd, k.secretName(first), "--"+first.Name)
	secrets[first.Purpose] = secret
	return err
}

// secretName is what a person calls the secret of a flag.
func (k sourceKind) secretName(f ingest.Flag) string {
	return strings.ReplaceAll(strings.TrimSuffix(f.Name, "-file"), "-", " ")
}

func unknownKind(name string) error {
	return fmt.Errorf("%w: kind %q is none of: %s", errUsage, terminal.Plain(name), sourceKindNames())
}

func newSourceAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add KIND [NAME]",
		Short: "Let a sender in",
		Long: "Let a sender in. Secrets come from a file or from standard input (-), never from an argument.\n\n" +
			"`switchlog source add KIND --help` says what to do at the provider.",
		Args: cobra.ArbitraryArgs,
		// A kind there is not is what is wrong, not the flags behind it.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("%w: which kind? There are: %s", errUsage, sourceKindNames())
			}
			return unknownKind(args[0])
		},
	}
	for _, k := range sourceKinds() {
		cmd.AddCommand(k.addCommand())
	}
	return cmd
}

func (k sourceKind) addCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   k.Name + " " + k.Shell.Args,
		Short: k.Shell.Short,
		Long:  k.Shell.Short + ".\n\n" + k.Shell.Steps,
	}
	k.addFlags(cmd.Flags(), false)
	return withServer(cmd, func(ctx context.Context, c *call) error {
		settings, secrets, err := k.read(c.cmd)
		if err != nil {
			return err
		}
		if err := k.ask(settings, secrets, c.cmd); err != nil {
			return err
		}
		in := map[string]any{"kind": k.Name, "settings": settings, "secrets": secrets}
		if len(c.args) == 1 {
			in["name"] = c.args[0]
		}
		var out sourceAnswer
		if err := c.call(ctx, "POST", "/api/admin/sources", in, &out); err != nil {
			return err
		}
		return c.printSource(out, secrets)
	})
}
