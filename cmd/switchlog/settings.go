package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"switchlog/cmd/switchlog/terminal"
)

// Where the value of a setting comes from.
const (
	fromFlag        = "flag"
	fromEnvironment = "environment"
	fromFile        = "file"
	fromDefault     = "default"
)

// settingNames are the names of all settings, sorted: --data and the flags of
// Config.
func settingNames() []string {
	var c Config
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.settings(flags)
	names := []string{"data"}
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	slices.Sort(names)
	return names
}

// reading is how the settings were read.
type reading struct {
	names    []string               // of all settings
	flags    map[string]*pflag.Flag // by name; they have the values
	from     map[string]string      // where each value comes from, by name
	problems []error                // all that is wrong; none has a secret in its text
}

// load fills in, below the flags, the environment and the file.
func (c *Config) load(cmd *cobra.Command, environ []string) error {
	if r := c.read(cmd, environ); len(r.problems) > 0 {
		return r.problems[0]
	}
	return nil
}

// read is load that says where each value comes from, and all that is wrong.
func (c *Config) read(cmd *cobra.Command, environ []string) *reading {
	r := &reading{names: settingNames(), flags: map[string]*pflag.Flag{}, from: map[string]string{}}
	for _, name := range r.names {
		r.flags[name], r.from[name] = cmd.Flags().Lookup(name), fromDefault
		if r.flags[name].Changed {
			r.from[name] = fromFlag
		}
	}
	r.readFile()
	r.readEnvironment(environ)
	r.refuseSecrets()
	c.Data = r.flags["data"].Value.String()
	if u, err := url.Parse(c.NATS); err == nil && u.User != nil {
		_, has := u.User.Password()
		c.natsOnCommandLine = has && r.from["nats"] == fromFlag
	}
	r.problems = append(r.problems, c.check()...)
	return r
}

func (r *reading) wrong(format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%w: "+format, append([]any{errUsage}, args...)...))
}

// readFile takes the settings of switchlog.yaml.
func (r *reading) readFile() {
	file, problems := readConfigFile(configFile)
	r.problems = append(r.problems, problems...)
	for _, name := range sortedKeys(file) {
		if r.flags[name] == nil {
			r.wrong("%s: unknown setting %q (hint: %s)", configFile, terminal.Plain(maskSecrets(name)),
				didYouMean(name, r.names, "the settings are the flags of switchlog serve --help"))
			continue
		}
		r.set(name, file[name], fromFile, configFile+": "+name)
	}
}

// readEnvironment takes the settings of SWITCHLOG_… variables.
func (r *reading) readEnvironment(environ []string) {
	for _, entry := range environ {
		variable, value, _ := strings.Cut(entry, "=")
		name, ours := strings.CutPrefix(variable, "SWITCHLOG_")
		if !ours || slices.Contains(natsConfVariables, variable) {
			continue
		}
		name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		if r.flags[name] == nil {
			hint := "the settings are the flags of switchlog serve --help"
			if near := nearest(name, r.names); near != "" {
				hint = "did you mean SWITCHLOG_" + strings.ToUpper(strings.ReplaceAll(near, "-", "_")) + "?"
			}
			r.wrong("unknown setting %s in the environment (hint: %s)", terminal.Plain(maskSecrets(variable)), hint)
			continue
		}
		r.set(name, value, fromEnvironment, variable)
	}
}

// set gives a setting a value unless there is a flag, which wins. The value
// itself is in no error: it may be a secret in the wrong place.
func (r *reading) set(name, value, from, where string) {
	f := r.flags[name]
	if f.Changed {
		return
	}
	if err := f.Value.Set(value); err != nil {
		r.wrong("%s: %s (hint: --%s: %s)", where, wantedOf(f, err), name, f.Usage)
		return
	}
	r.from[name] = from
}

// refuseSecrets reports user, password or token in settings that take none, and
// puts the default in their place: what reports other mistakes in them repeats
// the value.
func (r *reading) refuseSecrets() {
	for _, name := range r.names {
		f := r.flags[name]
		if name == "nats" || name == "acme-ca" || shownValue(name, f.Value.String()) == f.Value.String() {
			continue
		}
		r.wrong("--%s (%s): it has a user, a password or a query, which it does not take; its value is not shown (hint: --%s: %s)", name, r.from[name], name, f.Usage)
		if err := f.Value.Set(f.DefValue); err != nil {
			r.problems = append(r.problems, err)
		}
	}
}

// masked stands for a secret.
const masked = "***"

// shownValue is the value of a setting without what is secret in it. Paths and
// words for people may have any character but are no URLs.
func shownValue(name, value string) string {
	switch {
	case name == "nats-creds-file" && strings.Contains(value, ":"):
		if _, err := os.Stat(value); err != nil {
			return masked // user:password, where the file that has them is wanted
		}
		return value
	case name == "data" || name == "acme-ca-roots" || name == "words" || strings.HasSuffix(name, "-file"):
		if !strings.Contains(value, "://") {
			return value
		}
	}
	return maskSecrets(value)
}

var urlScheme = regexp.MustCompile(`^[a-z]{2,8}://`)

// maskSecrets is a value without user and password of a URL, of which either may
// be a token, and without its query. Where it is not certain which is which, more
// is left out: nothing of a secret is shown.
func maskSecrets(value string) string {
	scheme := urlScheme.FindString(value)
	at, query := strings.LastIndex(value, "@"), strings.IndexAny(value, "?#")
	switch {
	case at < 0 && query < 0:
		return value
	case at < 0:
		return value[:query+1] + masked
	case query < 0:
		return scheme + masked + value[at:]
	}
	return scheme + masked
}

var yamlLine = regexp.MustCompile(`line \d+`)

// readConfigFile gives the settings of a YAML file as text, or none if there
// is no such file, and what is wrong in it. The YAML library's errors quote the
// file, which may have secrets: only their line is used.
func readConfigFile(path string) (values map[string]string, problems []error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []error{err}
	}
	const hint = "(hint: one setting a line, such as listen: 127.0.0.1:8080; put a value with special characters in quotes)"
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, []error{fmt.Errorf("%w: %s: it is not YAML, %s %s", errUsage, path, cmp.Or(yamlLine.FindString(err.Error()), "somewhere"), hint)}
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, nil
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return nil, []error{fmt.Errorf("%w: %s: it is no list of settings %s", errUsage, path, hint)}
	}
	values = map[string]string{}
	for pair := range slices.Chunk(doc.Content[0].Content, 2) {
		name, value := pair[0].Value, pair[1]
		_, twice := values[name]
		switch {
		case twice:
			problems = append(problems, fmt.Errorf("%w: %s: %s is there twice, the second in line %d (hint: leave one out)", errUsage, path, terminal.Plain(maskSecrets(name)), pair[0].Line))
		case value.Kind != yaml.ScalarNode:
			problems = append(problems, fmt.Errorf("%w: %s: %s: one value is wanted (hint: several stand in one, with commas between them)", errUsage, path, terminal.Plain(maskSecrets(name))))
		default:
			values[name] = value.Value
		}
	}
	return values, problems
}
