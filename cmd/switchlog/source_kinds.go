package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchlog/cmd/switchlog/terminal"
)

// sourceKind is how a kind of source is added from the shell. What its
// settings and secrets mean is for package ingest.
type sourceKind struct {
	name  string // of the kind
	args  string // how the source's name is given, as usage shows it
	short string
	steps string // exactly what to do at the provider
	flags []sourceFlag
}

// sourceFlag is a flag that becomes a setting or a secret.
type sourceFlag struct {
	name    string
	purpose string // the secret it gives; empty: it is a setting
	setting string // the setting it gives; empty: it is a secret
	form    flagForm
	doc     string
}

// flagForm is how the value of a flag is given.
type flagForm int

const (
	asText  flagForm = iota // as it is: nothing secret
	asFile                  // the name of a file that holds it; -: standard input
	asYesNo                 // by naming the flag
	asList                  // by naming the flag several times
)

// sourceKinds are the kinds there are, as `source add KIND` takes them.
var sourceKinds = []sourceKind{
	{
		name: "pluralkit", args: "[NAME]", short: "PluralKit's dispatch webhook",
		steps: `  1. In a direct message to the PluralKit bot on Discord, type
       pk;system webhook https://YOUR-ADDRESS/in/pluralkit
     The bot answers with a token. Do not press Continue yet.
  2. Paste the token into
       switchlog source add pluralkit --token-file -
     It is not shown. Press Enter.
  3. Press Continue. PluralKit now tries the address twice, and from then on
     every change arrives here.`,
		flags: []sourceFlag{
			{name: "token-file", purpose: "token", form: asFile, doc: "file with the token the sender shows (-: standard input)"},
			{name: "api-token-file", purpose: "api_token", form: asFile, doc: "file with the system's own API token (pk;token), to ask PluralKit what webhooks missed"},
			{name: "system", setting: "system", doc: "the system's uuid (default: learned from the first request)"},
		},
	},
	{
		name: "discord", args: "NAME", short: "Discord's Webhook Events of an application",
		steps: `  1. In the Discord developer portal, open your application, General
     Information, and copy the public key.
  2. switchlog source add discord NAME --public-key HEX
  3. In the portal, Webhooks: set the endpoint to
       https://YOUR-ADDRESS/in/discord/NAME
     switch events on and choose the types. Discord tries the address when you
     save.`,
		flags: []sourceFlag{
			{name: "public-key", purpose: "public_key", doc: "the application's public key, 64 hexadecimal digits"},
			{name: "application-id", setting: "application_id", doc: "the application's id: events of any other are refused"},
			{name: "keep-message-content", setting: "keep_message_content", form: asYesNo, doc: "keep the text of messages, too"},
		},
	},
	{
		name: "botghost", args: "BOT_ID", short: "What is meant for BotGhost's webhooks",
		steps: `  1. Choose a key, or take the API key of BotGhost's webhook module, and put it
     into a file.
  2. switchlog source add botghost BOT_ID --key-file FILE
  3. In the tool that posts to BotGhost, change
       https://api.botghost.com/webhook/…  to  https://YOUR-ADDRESS/webhook/…
     and nothing else.`,
		flags: []sourceFlag{
			{name: "key-file", purpose: "key", form: asFile, doc: "file with the key that is sent as Authorization (-: standard input)"},
			{name: "event", setting: "events", form: asList, doc: "an event id that is taken; may be given several times (default: any)"},
			{name: "idempotency-header", setting: "idempotency_header", doc: "header whose value makes two requests one event (default: every request is its own)"},
		},
	},
	{
		name: "stellarstack", args: "NAME", short: "A StellarStack panel's webhooks",
		steps: `  Panels that sign (they show a secret when the webhook is made):
    switchlog source add stellarstack NAME --secret-file FILE
  Panels that do not:
    switchlog source add stellarstack NAME --unsigned
    This prints an address that nobody can guess. Whoever knows it can send, so
    treat it as a secret; such events are marked as not verified.
  Then, in the panel, Webhooks: use the address that was printed.`,
		flags: []sourceFlag{
			{name: "secret-file", purpose: "secret", form: asFile, doc: "file with the webhook's secret (-: standard input)"},
			{name: "unsigned", setting: "unsigned", form: asYesNo, doc: "the panel does not sign: let in by an unguessable address"},
		},
	},
	{
		name: "standard", args: "NAME", short: "Any sender that signs as Standard Webhooks says",
		steps: `  1. At the sender, make an endpoint with the address
       https://YOUR-ADDRESS/in/standard/NAME
     and copy its signing secret (whsec_…) or public key (whpk_…) into a file,
     one on a line if there are several.
  2. switchlog source add standard NAME --secret-file FILE`,
		flags: []sourceFlag{
			{name: "secret-file", purpose: "secret", form: asFile, doc: "file with signing secrets, whsec_…, one a line (-: standard input)"},
			{name: "public-key-file", purpose: "public_key", form: asFile, doc: "file with public keys, whpk_…, one a line (-: standard input)"},
		},
	},
	{
		name: "token", args: "NAME", short: "Any sender that shows a fixed Authorization header",
		steps: `  1. At the sender, set the address to https://YOUR-ADDRESS/in/token/NAME and a
     long random token; put the whole value of Authorization into a file.
  2. switchlog source add token NAME --token-file FILE`,
		flags: []sourceFlag{
			{name: "token-file", purpose: "token", form: asFile, doc: "file with the whole value of Authorization (-: standard input)"},
		},
	},
	{
		name: "cloudevents", args: "NAME", short: "Any sender of CloudEvents over HTTP",
		steps: `  1. switchlog source add cloudevents NAME --token-file FILE
  2. At the sender, use
       https://YOUR-ADDRESS/in/cloudevents/NAME
     with the token as Authorization: Bearer TOKEN (or, if it cannot,
     ?access_token=TOKEN).`,
		flags: []sourceFlag{
			{name: "token-file", purpose: "token", form: asFile, doc: "file with the bearer token (-: standard input)"},
			{name: "allowed-origin", setting: "allowed_origin", doc: "DNS name of the sender that OPTIONS lets in, or *"},
		},
	},
}

func sourceKindNamed(name string) (sourceKind, bool) {
	for _, k := range sourceKinds {
		if k.name == name {
			return k, true
		}
	}
	return sourceKind{}, false
}

func sourceKindNames() string {
	names := make([]string, len(sourceKinds))
	for i, k := range sourceKinds {
		names[i] = k.name
	}
	return strings.Join(names, ", ")
}

// addFlags declares the flags of a kind that are not there yet; secretsOnly
// leaves out its settings.
func (k sourceKind) addFlags(f *pflag.FlagSet, secretsOnly bool) {
	for _, flag := range k.flags {
		if f.Lookup(flag.name) != nil || secretsOnly && flag.purpose == "" {
			continue
		}
		switch flag.form {
		case asYesNo:
			f.Bool(flag.name, false, flag.doc)
		case asList:
			f.StringArray(flag.name, nil, flag.doc)
		default:
			f.String(flag.name, "", flag.doc)
		}
	}
}

// read collects what the flags of a kind say.
func (k sourceKind) read(cmd *cobra.Command) (settings, secrets map[string]string, err error) {
	f := cmd.Flags()
	settings, secrets = map[string]string{}, map[string]string{}
	for _, flag := range k.flags {
		given := f.Lookup(flag.name)
		if given == nil || !given.Changed {
			continue
		}
		value := given.Value.String()
		switch flag.form {
		case asFile:
			if value, err = readSecret(cmd, k.secretName(flag), value); err != nil {
				return nil, nil, err
			}
		case asList:
			list, err := f.GetStringArray(flag.name)
			if err != nil {
				return nil, nil, err
			}
			value = strings.Join(list, ",")
		}
		if flag.purpose != "" {
			secrets[flag.purpose] = value
		} else {
			settings[flag.setting] = value
		}
	}
	return settings, secrets, nil
}

// ask asks a person at a terminal for the first secret of a kind, unseen, if
// no flag gave one and none is done without.
func (k sourceKind) ask(settings, secrets map[string]string, cmd *cobra.Command) error {
	if len(secrets) > 0 || settings["unsigned"] == "true" {
		return nil
	}
	if settings == nil && k.name == "stellarstack" {
		return nil // a rotation: an unsigned source gets a new address
	}
	first := k.flags[0]
	if first.form != asFile {
		return fmt.Errorf("%w: no secret given, the %s (hint: --%s)", errUsage, k.secretName(first), first.name)
	}
	secret, err := askSecret(cmd, k.secretName(first), "--"+first.name)
	secrets[first.purpose] = secret
	return err
}

// secretName is what a person calls the secret of a flag.
func (k sourceKind) secretName(f sourceFlag) string {
	return strings.ReplaceAll(strings.TrimSuffix(f.name, "-file"), "-", " ")
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
	for _, k := range sourceKinds {
		cmd.AddCommand(k.addCommand())
	}
	return cmd
}

func (k sourceKind) addCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   k.name + " " + k.args,
		Short: k.short,
		Long:  k.short + ".\n\n" + k.steps,
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
		in := map[string]any{"kind": k.name, "settings": settings, "secrets": secrets}
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
