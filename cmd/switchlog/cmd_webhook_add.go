package main

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/processor/deliver"
	"switchlog/processor/deliver/manage"
	"switchlog/schemas"
)

// webhookText are the flags of a webhook that are text, by the member they
// become.
var webhookText = []struct{ flag, member, doc string }{
	{"name", "name", "what you call it"},
	{"source", "source", "only events of this kind of source: pluralkit"},
	{"tenant", "tenant", "only events of this tenant: a PluralKit system's uuid"},
	{"condition", "condition", "only events for which this CEL expression is true"},
	{"template", "template", "of the text, where the provider takes text"},
}

// webhookFlags declares what a webhook can be told. The rest is in secrets.
func webhookFlags(f *pflag.FlagSet) {
	f.StringArray("event", nil, "an event it wants, by name, type or glob; may be given several times (switchlog webhook events)")
	f.String("url", "", "where it posts to; an address that is a password goes into --url-file")
	f.String("url-file", "", "file with the address (-: standard input)")
	for _, t := range webhookText {
		f.String(t.flag, "", t.doc)
	}
	f.Float64("rate", 0, "attempts a second at most (0: what the provider takes)")
	f.Bool("ordered", false, "send one tenant's events one after another")
	f.String("debounce", "", "how long a front or other change waits for later ones, to be passed on once: 20s (0: not)")
	f.Bool("owner-only", false, "send what members keep private, too")
	f.StringArray("option", nil, "name=value: an option of the provider's own; may be given several times")
	f.StringArray("variable", nil, "{placeholder}=where: a BotGhost variable; may be given several times")
}

// readWebhook gives the members of the request that the flags ask for.
func readWebhook(cmd *cobra.Command) (map[string]any, error) {
	f := cmd.Flags()
	in := map[string]any{}
	for _, t := range webhookText {
		if f.Changed(t.flag) {
			in[t.member], _ = f.GetString(t.flag)
		}
	}
	for flag, member := range map[string]string{"ordered": "ordered", "owner-only": "ownerOnly"} {
		if f.Changed(flag) {
			in[member], _ = f.GetBool(flag)
		}
	}
	if f.Changed("rate") {
		in["rate"], _ = f.GetFloat64("rate")
	}
	if f.Changed("debounce") {
		in["debounce"], _ = f.GetString("debounce")
	}
	if f.Changed("event") {
		in["events"], _ = f.GetStringArray("event")
	}
	for flag, member := range map[string]string{"option": "options", "variable": "variables"} {
		if !f.Changed(flag) {
			continue
		}
		list, _ := f.GetStringArray(flag)
		pairs := map[string]string{}
		for _, pair := range list {
			name, value, found := strings.Cut(pair, "=")
			if !found {
				return nil, fmt.Errorf("%w: --%s %q is not name=value", errUsage, flag, pair)
			}
			pairs[name] = value
		}
		in[member] = pairs
	}
	if f.Changed("url") {
		address, _ := f.GetString("url")
		if secretAddress(address) {
			return nil, fmt.Errorf("%w: whoever has this address can write there, and arguments are seen by others (hint: --url-file FILE, or -)", errUsage)
		}
		in["url"] = address
	}
	if file, _ := f.GetString("url-file"); file != "" {
		address, err := readSecret(cmd, "address", file)
		if err != nil {
			return nil, err
		}
		in["url"] = address
	}
	return in, nil
}

func newWebhookAdd() *cobra.Command {
	var names []string
	for _, p := range deliver.Providers() {
		names = append(names, p.Name)
	}
	cmd := &cobra.Command{
		Use:   "add [PROVIDER]",
		Short: "Pass events on to somebody",
		Long: "Pass events on to somebody. PROVIDER is what the receiver understands: " + strings.Join(names, ", ") + ".\n" +
			"Left out, the address says it, or it is standard: signed JSON for programs of your own.\n\n" +
			"Secrets come from a file or from standard input (-), never from an argument. Of Discord and\n" +
			"ntfy the address is one; without --url-file you are asked for it.",
		Example: "  switchlog webhook add discord --event front.changed\n" +
			"  switchlog webhook add standard --url https://example.org/hook \\\n" +
			"      --event 'switch.*' --event member.changed\n" +
			"  switchlog webhook add botghost --secret-file key --event front.changed \\\n" +
			"      --url https://api.botghost.com/webhook/BOT/EVENT",
	}
	f := cmd.Flags()
	webhookFlags(f)
	f.String("secret-file", "", "file with the secret: BotGhost's API key, a token, or a whsec_… of your own (-: standard input)")
	f.String("server-id", "", "only events of this StellarStack server")
	disabled := f.Bool("disabled", false, "send nothing until switchlog webhook update ID --enable")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		cmd, args := c.cmd, c.args
		in, err := readWebhook(cmd)
		if err != nil {
			return err
		}
		if len(args) == 1 {
			if !slices.Contains(names, args[0]) {
				return fmt.Errorf("%w: provider %q is none of: %s", errUsage, args[0], strings.Join(names, ", "))
			}
			in["provider"] = args[0]
		}
		if f.Changed("url") && slices.Contains([]any{schemas.ProviderDiscord, schemas.ProviderNtfy}, in["provider"]) {
			return fmt.Errorf("%w: whoever has this address can write there, and arguments are seen by others (hint: --url-file FILE, or -)", errUsage)
		}
		if in["events"] == nil {
			return fmt.Errorf("%w: which events? (hint: --event front.changed; switchlog webhook events lists them)", errUsage)
		}
		if in["url"] == nil {
			if in["url"], err = askSecret(cmd, "address", "--url-file"); err != nil {
				return err
			}
		}
		if file, _ := f.GetString("secret-file"); file != "" {
			if in["secret"], err = readSecret(cmd, "secret", file); err != nil {
				return err
			}
		}
		if id, _ := f.GetString("server-id"); id != "" {
			in["serverId"] = id
		}
		if *disabled {
			in["enabled"] = false
		}
		var h manage.WebhookObject
		if err := c.call(ctx, "POST", webhooksPath, in, &h); err != nil {
			return err
		}
		return printMade(cmd, h, c.json(), "is made")
	})
}

// secretHosts are those whose addresses are passwords, whatever they look like.
var secretHosts = []string{"discord.com", "discordapp.com", "ntfy.sh", "hooks.zapier.com", "hooks.slack.com", "maker.ifttt.com", "make.com",
	"webhook.office.com", "webhook.site", "pipedream.net"}

// secretAddress reports whether an address may be a password. One that is plain
// words, as people name the paths of their own programs, is none: what
// authenticates there is the signature, or BotGhost's key.
func secretAddress(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return true
	}
	if strings.HasPrefix(u.Path, "/webhook/") && strings.EqualFold(u.Hostname(), "api.botghost.com") {
		return false // ids: the key is in a header
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		slices.ContainsFunc(secretHosts, func(s string) bool { return host == s || strings.HasSuffix(host, "."+s) }) {
		return true
	}
	return slices.ContainsFunc(strings.Split(u.Path, "/"), func(part string) bool {
		digits := strings.Count(strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return '0'
			}
			return -1
		}, part), "0")
		return len(part) > 32 || digits >= 4 && len(part) >= 7
	})
}

// printMade shows a webhook with a secret that is told only once.
func printMade(cmd *cobra.Command, h manage.WebhookObject, asJSON bool, what string) error {
	w := cmd.OutOrStdout()
	if asJSON {
		return printJSON(w, h)
	}
	fmt.Fprintf(w, "webhook %s %s: %s to %s\n", calledWebhook(h), what, strings.Join(h.Events, " "), h.URL)
	if h.Secret != nil {
		fmt.Fprintf(w, "\n  %s\n\nThis is the secret that the receiver checks signatures with. It is not shown again.\n", *h.Secret)
	}
	if until := deref(h.OldSecretUntil); until != "" {
		fmt.Fprintf(w, "What is sent is signed with the old secret, too, until %s.\n", until)
	}
	for _, withheld := range h.Withheld {
		terminal.PrintWrapped(w, "  - ", withheld.Event+": "+withheld.Says)
	}
	_, err := fmt.Fprintf(w, "Try it: switchlog webhook test %s\n", calledWebhook(h))
	return err
}

func newWebhookUpdate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "update ID", Short: "Change a webhook, switch it on or off",
		Long: "Change a webhook. What is not named stays as it is; --event, --option and --variable replace all there were.",
	}
	f := cmd.Flags()
	webhookFlags(f)
	enable := f.Bool("enable", false, "send again")
	disable := f.Bool("disable", false, "send nothing; what waits is not sent later")
	return withWebhook(cmd, func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error {
		in, err := readWebhook(cmd)
		if err != nil {
			return err
		}
		if *enable && *disable {
			return fmt.Errorf("%w: --enable and --disable", errUsage)
		}
		if *enable || *disable {
			in["enabled"] = *enable
		}
		if len(in) == 0 {
			return fmt.Errorf("%w: nothing to change (hint: switchlog webhook update --help)", errUsage)
		}
		var h manage.WebhookObject
		if err := c.call(ctx, "PATCH", path, in, &h); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), h)
		}
		return printWebhook(cmd.OutOrStdout(), h)
	})
}

func newWebhookRotate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Replace a webhook's secret",
		Long: "Replace a webhook's secret. Without --secret-file a standard webhook gets a new one, which is shown once.\n" +
			"For a day what is sent is signed with both, so receivers can change over.",
	}
	file := cmd.Flags().String("secret-file", "", "file with the new secret (-: standard input)")
	return withWebhook(cmd, func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error {
		in := map[string]string{}
		if *file != "" {
			secret, err := readSecret(cmd, "secret", *file)
			if err != nil {
				return err
			}
			in["secret"] = secret
		}
		var h manage.WebhookObject
		if err := c.call(ctx, "POST", path+"/rotate", in, &h); err != nil {
			return err
		}
		return printMade(cmd, h, asJSON, "has a new secret")
	})
}

// calledWebhook is what a person calls a webhook: its name, or else its id.
func calledWebhook(h manage.WebhookObject) string {
	if name := terminal.Plain(deref(h.Name)); name != "" {
		if strings.ContainsAny(name, " '\"") {
			return strconv.Quote(name)
		}
		return name
	}
	return h.ID
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
