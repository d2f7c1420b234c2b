package test

import (
	"slices"
	"strings"
	"testing"
)

// module is the path all our packages begin with.
const module = "switchlog"

// anything in a list means: no limit.
const anything = "*"

// row says what one of our packages may import of ours.
type row struct {
	pkg   string   // below module
	ours  []string // in production code
	tests []string // in package x_test besides; helpers need no mention
	why   string
}

// star is the import table. A package that is not in it fails; a row may be
// here before its package is.
var star = []row{
	{pkg: "switchlog", why: "the documents, which can only be embedded from beside them"},
	{pkg: "schemas", why: "the vocabulary: other programs import it alone"},
	{pkg: "ingest", ours: []string{"ingest/registry", "schemas"}, tests: []string{"ingest/spool"},
		why: "what comes in knows no log and no table; its tests may append to the real spool"},
	{pkg: "ingest/registry", ours: []string{"schemas"}, why: "sources and their secrets; it knows no provider, and gets the kinds there are"},
	{pkg: "ingest/spool", ours: []string{"schemas"}, why: "durable order, of events from anywhere to any log"},
	{pkg: "ingest/pluralkit", ours: []string{"schemas"}, tests: []string{"projections", "projections/engine", "projections/mirror"}, why: "asks PluralKit what is true; what we hold comes through an interface; its tests hold the mirror of that against PluralKit"},
	{pkg: "ingest/certificates", why: "HTTPS for the public listener: it knows no event and no table"},
	{pkg: "ingest/linking", why: "what keeps a webhook from being registered, in words: it knows no event and no table"},
	{pkg: "processor", ours: []string{"schemas"}, why: "what moves knows no provider and no table; its sink is an interface"},
	{pkg: "processor/deliver", ours: []string{"schemas"}, why: "what goes out is asked for through an interface"},
	{pkg: "processor/deliver/manage", ours: []string{"processor/deliver", "schemas"}, tests: []string{"ingest/registry"},
		why: "the API of outgoing webhooks asks the sender directly, and the registry through an interface; its tests use the real one"},
	{pkg: "projections", ours: []string{"projections/engine", "projections/merge", "projections/pluralkit", "projections/webhooks", "schemas"},
		why: "a fold sees events, never where they come from (Law 5); this one has the list of all"},
	{pkg: "projections/engine", ours: []string{"schemas"}, why: "calls folds through interfaces: it knows no provider"},
	{pkg: "projections/merge", ours: []string{"projections/engine", "schemas"}, why: "how a row's fields are merged, of any provider"},
	{pkg: "projections/pluralkit", ours: []string{"projections/engine", "projections/merge", "projections/statistics", "schemas"},
		why: "PluralKit's systems: no other provider's tables"},
	{pkg: "projections/webhooks", ours: []string{"projections/engine", "projections/pluralkit", "schemas"},
		why: "what a receiver may see of a system is PluralKit's rows to say"},
	{pkg: "projections/query", ours: []string{"projections", "projections/engine", "schemas"}, why: "shows the queries that projections declare"},
	{pkg: "projections/mirror", ours: []string{"projections", "projections/engine", "projections/pluralkit", "schemas"},
		why: "PluralKit's API, from the tables; the code needs the engine, its tests the folds"},
	{pkg: "projections/statistics", why: "arithmetic on switches: it knows no table"},
	{pkg: "projections/query/ui", ours: []string{"schemas"}, why: "pages made of the same queries, which it asks for through an interface"},
	{pkg: "cmd/switchlog/latency", why: "measures the program from outside: it knows commands, routes and subjects"},
	{pkg: "cmd/switchlog", ours: []string{anything}, why: "wires everything to everything"},
	{pkg: "cmd/switchlog/export", ours: []string{"schemas"}, tests: []string{"ingest/pluralkit"}, why: "files from answers of the read API: it knows no network; its tests read PluralKit's format as import does"},
	{pkg: "cmd/switchlog/terminal", why: "what fits a terminal: it knows nothing of what the text says"},
	{pkg: "cmd/switchlog/loglimit", why: "how much is logged: it knows no line"},
	{pkg: "cmd/switchlog/memory", why: "how much memory the process takes: it knows nothing of what is in it"},
	{pkg: "test", ours: []string{anything}, why: "proof needs the whole"},
	{pkg: "test/bench", ours: []string{anything}, why: "measures the whole"},
	{pkg: "test/fakeacme", why: "a helper: it imports nothing of ours"},
	{pkg: "test/fakesink", ours: []string{"schemas"}, why: "a helper: any test may import it, so it imports nothing of ours"},
	{pkg: "test/faultfs", why: "a helper: a disk that fails; it knows nothing of what is on it"},
	{pkg: "test/fakepk", ours: []string{"schemas"}, why: "a helper: any test may import it, so it imports nothing of ours"},
	{pkg: "test/mix", ours: []string{"schemas"}, why: "events to measure with: a helper, likewise"},
}

// outsider says who may import packages of another module (or of the standard
// library) in production code.
type outsider struct {
	prefix string // of import paths
	users  []string
	why    string
}

// outsiders is every module we use, and who may. A new dependency needs a line,
// and the line a reason.
var outsiders = []outsider{
	{"database/sql", []string{"ingest", "ingest/registry", "ingest/spool", "projections", "projections/engine", "cmd/switchlog"},
		"SQLite stays with those who own a file: secrets.db, spool.db, projections.db; tests of ingest look into the first"},
	{"github.com/mattn/go-sqlite3", []string{"ingest/registry", "ingest/spool", "projections/engine", "cmd/switchlog"},
		"as database/sql"},
	{"github.com/nats-io", []string{"processor", "projections/query", "cmd/switchlog/latency", "cmd/switchlog"},
		"the log belongs to processor; query answers on NATS; latency subscribes as a user does; cmd runs the server"},
	{"github.com/synadia-io/orbit.go", []string{"processor", "cmd/switchlog"},
		"batch publishing, beside nats.go"},
	{"github.com/cloudevents/sdk-go/v2", []string{"schemas", "ingest", "processor/deliver", "cmd/switchlog"},
		"what an event is, and CloudEvents over HTTP"},
	{"github.com/google/uuid", []string{anything}, "UUIDv7: almost the standard library"},
	{"github.com/prometheus/client_golang", []string{"ingest", "ingest/pluralkit", "ingest/spool", "processor",
		"processor/deliver", "projections/engine", "projections/mirror", "projections/query", "cmd/switchlog"},
		"each package has its own metrics; the vocabulary has nothing to measure"},
	{"github.com/arran4/golang-ical", []string{"cmd/switchlog/export"}, "calendars: folded and escaped as RFC 5545 has it"},
	{"github.com/caddyserver/certmagic", []string{"ingest/certificates"}, "ACME: challenges, renewal, pauses after failures; some 3 MB of binary for what takes months to get right"},
	{"go.uber.org/zap", []string{"ingest/certificates"}, "the logger certmagic takes; it is given one that is silent"},
	{"cel.dev/cel-go", []string{"projections/webhooks"}, "the conditions of subscriptions"},
	{"github.com/spf13", []string{"cmd/switchlog"}, "only cmd has a command line"},
	{"github.com/hanwen/go-fuse/v2", []string{"test/faultfs"}, "a disk that fails, in tests"},
	{"github.com/yuin/goldmark", []string{"projections/query/ui"}, "the documents as pages"},
	{"golang.org/x/crypto", []string{"ingest", "ingest/registry"}, "sealing of secrets, hashes of passwords; tests of ingest check these"},
	{"golang.org/x/net", []string{"processor/deliver"}, "names of hosts in other scripts"},
	{"golang.org/x/sync", []string{anything}, "errgroup, semaphore: almost the standard library"},
	{"golang.org/x/term", []string{"cmd/switchlog", "cmd/switchlog/terminal"}, "only cmd talks to a terminal"},
	{"golang.org/x/text", []string{"cmd/switchlog/terminal"}, "how wide a letter is on a terminal"},
	{"golang.org/x/time", []string{"ingest", "ingest/pluralkit", "processor/deliver", "projections/query", "projections/query/ui"},
		"rate limits stand where requests pass"},
	{"gopkg.in/yaml.v3", []string{"cmd/switchlog"}, "the settings file"},
}

// testTools may be imported by any _test.go file and by helpers, and by no
// production code.
var testTools = []string{
	"github.com/anishathalye/porcupine",
	"github.com/chromedp/cdproto",
	"github.com/chromedp/chromedp",
	"github.com/letsencrypt/pebble/v2",
	"github.com/miekg/dns",
	"github.com/rogpeppe/go-internal",
	"github.com/santhosh-tekuri/jsonschema/v6",
	"github.com/standard-webhooks/standard-webhooks/libraries",
	"go.uber.org/goleak",
	"golang.org/x/tools/txtar",
	"pgregory.net/rapid",
}

func TestImportStar(t *testing.T) {
	for _, p := range packages(t) {
		i := slices.IndexFunc(star, func(r row) bool { return r.pkg == p.short() })
		if i < 0 {
			t.Errorf("%s is not in the import table (hint: give it a row in imports_test.go, with the reason)", p.ImportPath)
			continue
		}
		r := star[i]
		checkOurs(t, r, "its code", p.Imports, r.ours)
		checkOurs(t, r, "tests of package "+p.Name, p.TestImports, slices.Concat(r.ours, helpers()))
		checkOurs(t, r, "tests of package "+p.Name+"_test", p.XTestImports,
			slices.Concat(r.ours, helpers(), []string{r.pkg}, r.tests))
		checkOutside(t, r, p)
	}
}

// checkOurs holds imports against what may be imported of ours.
func checkOurs(t *testing.T, r row, where string, imports, may []string) {
	t.Helper()
	for _, path := range imports {
		short, ours := strings.CutPrefix(path, module+"/")
		if ours && !slices.Contains(may, anything) && !slices.Contains(may, short) {
			t.Errorf("%s, %s: imports %s; may import of ours %q: %s", r.pkg, where, short, may, r.why)
		}
	}
}

// helpers are the packages that any test may import: below test, and
// importing nothing of ours but schemas.
func helpers() []string {
	var names []string
	for _, r := range star {
		if strings.HasPrefix(r.pkg, "test/") && (len(r.ours) == 0 || slices.Equal(r.ours, []string{"schemas"})) {
			names = append(names, r.pkg)
		}
	}
	return names
}

// checkOutside holds the imports of other modules against outsiders. Tests may
// use what their package may, and the test tools. Below test, what proves
// something may use any module that has a line.
func checkOutside(t *testing.T, r row, p pkg) {
	t.Helper()
	proof := r.pkg == "test" || strings.HasPrefix(r.pkg, "test/")
	for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		tests := proof || !slices.Contains(p.Imports, path)
		if tests && within(path, testTools...) {
			continue
		}
		i := slices.IndexFunc(outsiders, func(o outsider) bool { return within(path, o.prefix) })
		if i < 0 {
			if host, _, _ := strings.Cut(path, "/"); strings.Contains(host, ".") {
				t.Errorf("%s imports %s, which has no line in outsiders (hint: add one, with the reason)", r.pkg, path)
			}
			continue
		}
		o := outsiders[i]
		if !proof && !slices.Contains(o.users, anything) && !slices.Contains(o.users, r.pkg) {
			t.Errorf("%s imports %s; may be imported by %q: %s", r.pkg, path, o.users, o.why)
		}
	}
}

// within reports whether an import path is one of the prefixes or below one.
func within(path string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
}
