package schemas

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed jsonschema/*.json examples/*/*.json asyncapi.json
var contract embed.FS

// EventSchemaID is the id of the schema of the envelope: the CloudEvent
// around the data, as we write it.
var EventSchemaID = SchemaID("event")

// Type is one event type there is.
type Type struct {
	Name     string // e.g. me.pluralkit.switch.create
	Source   string // kind of the source it is about, as in its subject
	Noun     string // as in its subject
	Verb     string // as in its subject
	Summary  string // one sentence
	Provider string // the provider's own name; empty if the type is ours
}

// Example is one whole event, as it is stored.
type Example struct {
	Name string // what is special about it, e.g. cleared
	Body []byte // a CloudEvent in structured JSON mode
}

// Types lists the event types there are, always in the same order.
func Types() []Type { return slices.Clone(types) }

// Schema returns a JSON Schema (draft 2020-12) by event type or by its $id:
// that of the type's data, of "event" (the envelope), or of what other
// schemas refer to. It can be used alone: what it refers to is inside it.
func Schema(typeOrID string) ([]byte, bool) {
	name := strings.TrimSuffix(strings.TrimPrefix(typeOrID, schemaPrefix), ":1")
	if strings.ContainsAny(name, "/\\") {
		return nil, false
	}
	b, err := contract.ReadFile("jsonschema/" + name + ".json")
	if err != nil {
		return nil, false
	}
	return bundled(b), true
}

// shared are the schemas that hold what others refer to.
var shared = []string{PluralKit, Discord, StellarStack}

// bundled puts the definitions that a schema refers to inside it, under their
// own $id, so that it can be used alone. It refers to at most one of them.
func bundled(schema []byte) []byte {
	for _, name := range shared {
		if !bytes.Contains(schema, []byte(`"`+SchemaID(name)+`#/`)) {
			continue
		}
		body := bytes.TrimSuffix(bytes.TrimSpace(schema), []byte("}"))
		return slices.Concat(bytes.TrimSpace(body), []byte(",\n  \"$defs\": {\n    \""+name+"\": "),
			bytes.TrimSpace(embedded("jsonschema/"+name+".json")), []byte("\n  }\n}\n"))
	}
	return schema
}

// Examples returns the examples of an event type, sorted by name; none if
// there is no such type.
func Examples(typ string) []Example {
	files, err := contract.ReadDir("examples/" + typ)
	if err != nil {
		return nil
	}
	examples := make([]Example, 0, len(files))
	for _, f := range files {
		examples = append(examples, Example{
			Name: strings.TrimSuffix(f.Name(), ".json"),
			Body: bytes.TrimSpace(embedded("examples/" + typ + "/" + f.Name())),
		})
	}
	return examples
}

// AsyncAPI returns the AsyncAPI 3.0 description of what switchlog says and
// answers over NATS.
func AsyncAPI() []byte { return embedded("asyncapi.json") }

// Export writes all schemas, examples and asyncapi.json below dir, which is
// made if need be. Files of the same names are replaced. The schemas refer to
// one another by $id.
func Export(dir string) error {
	return fs.WalkDir(contract, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			err = os.MkdirAll(to, 0o755) // #nosec G301 -- schemas are for everybody
		} else {
			err = os.WriteFile(to, embedded(name), 0o644) // #nosec G306 -- schemas are for everybody
		}
		if err != nil {
			return fmt.Errorf("export the schemas: %w (hint: name a directory that can be written to)", err)
		}
		return nil
	})
}

func embedded(name string) []byte {
	b, err := contract.ReadFile(name)
	if err != nil {
		panic("schemas: not embedded: " + err.Error())
	}
	return b
}

// A speaker is a kind of source as it appears in the attributes of its events:
// what its URIs begin with, before the tenant, and what its types begin with.
type speaker struct {
	source string
	uri    string
	prefix string
	tenant func(string) bool // what can be a tenant
}

// speakers lists them.
var speakers = []speaker{
	{PluralKit, PluralKitSystemURL, PluralKitTypePrefix, isUUID},
	{Discord, DiscordApplicationURL, DiscordTypePrefix, IsSnowflake},
	{BotGhost, BotGhostURL, BotGhostTypePrefix, IsSnowflake},
	{StellarStack, namedSourcePrefix(StellarStack), StellarStackTypePrefix, isSourceName},
}

// NamedSourceURI is the CloudEvents source of the events of a sender that has
// no address of its own: the kind and the name it was configured under.
func NamedSourceURI(kind, name string) string { return namedSourcePrefix(kind) + name }

// isSourceName reports whether s is the name of a source: 1 to 64 letters,
// digits, _ and -.
func isSourceName(s string) bool {
	return s != "" && len(s) <= 64 && Token(s) == s
}

func namedSourcePrefix(kind string) string { return "urn:switchlog:source:" + kind + ":" }

// RouteOf is the route of an event that comes without a subject, as in a
// file: the tenant from its source, noun and verb from its type. It knows the
// events of all sources (also types that are not in [Types]: a newer switchlog
// may have written them), what is observed, imported and changed about a tenant, and the
// registry's events; any other is ErrInvalid.
//
// An event with [SourceExtension] is that source's, whatever its sender wrote
// into the other attributes.
func RouteOf(e Event) (Route, error) {
	if name, named := e.Extensions[SourceExtension]; named {
		return genericRouteOf(name)
	}
	noun, verb, ours := cutType(e.Type, selfTypePrefix)
	if e.Source == SelfURI && ours {
		return RegistryRoute(noun, verb), nil
	}
	for _, s := range speakers {
		tenant, theirs := strings.CutPrefix(e.Source, s.uri)
		if !theirs {
			continue
		}
		if !s.tenant(tenant) {
			return Route{}, fmt.Errorf("%w: source %q does not end in what can be a tenant of %s", ErrInvalid, e.Source, s.source)
		}
		if theirNoun, theirVerb, ok := cutType(e.Type, s.prefix); ok {
			return Route{Source: s.source, Tenant: tenant, Noun: theirNoun, Verb: theirVerb}, nil
		}
		if ours && (verb == "observed" || verb == "absent" || verb == "imported" || verb == "changed") {
			return Route{Source: s.source, Tenant: tenant, Noun: noun, Verb: verb}, nil
		}
	}
	return Route{}, fmt.Errorf("%w: no route for type %q of source %q", ErrInvalid, e.Type, e.Source)
}

// cutType cuts a type into noun and verb: words of lower-case letters, digits
// and underscores, behind the prefix.
func cutType(typ, prefix string) (noun, verb string, ok bool) {
	rest, ok := strings.CutPrefix(typ, prefix)
	if !ok {
		return "", "", false
	}
	noun, verb, ok = strings.Cut(rest, ".")
	return noun, verb, ok && isWord(noun) && isWord(verb)
}

func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}

// isUUID reports whether s is a uuid as PluralKit writes it: lower case, with
// hyphens.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (c == '-') || !hyphen && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
