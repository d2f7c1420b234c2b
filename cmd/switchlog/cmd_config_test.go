package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// settingSamples are three values that each setting takes. A setting that is
// not here fails the tests: say what it takes.
var settingSamples = map[string][3]string{
	"acme-ca":                 {"https://ca.example/a", "https://ca.example/b", "https://ca.example/c"},
	"acme-ca-roots":           {"a.pem", "b@c.pem", "c.pem"},
	"acme-http-listen":        {":81", ":82", ""},
	"allow-host":              {"a.example", "b.example", "c.example,d.example"},
	"allow-origin":            {"https://a.example", "https://b.example", "https://c.example"},
	"connections-per-address": {"1", "2", "3"},
	"data":                    {"one", "two", "three/of@them"},
	"debug":                   {"true", "false", "true"},
	"deliver-allow":           {"10.0.0.0/8", "10.1.0.0/16", "::1"},
	"domain":                  {"a.example", "b.example", "c.example"},
	"hidden-members":          {"number", "someone", "nothing"},
	"listen":                  {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"},
	"log-format":              {"json", "text", "json"},
	"nats":                    {"nats://127.0.0.1:1", "nats://127.0.0.1:2", "tls://127.0.0.1:3"},
	"nats-creds-file":         {"a.creds", "dir/b.creds", "/c.creds"},
	"nats-listen":             {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"},
	"pluralkit-api":           {"http://127.0.0.1:1", "http://127.0.0.1:2", "https://api.example"},
	"private-listen":          {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"},
	"public-url":              {"https://a.example", "https://b.example", "https://c.example"},
	"public-view":             {"false", "true", "false"},
	"reconcile-every":         {"1m0s", "2m0s", "3m0s"},
	"roles":                   {"ingest", "process", "ingest,process"},
	"secret-key-file":         {"a.key", "b.key", "dir/c.key"},
	"show-avatars":            {"true", "false", "true"},
	"trusted-proxies":         {"10.0.0.0/8", "10.1.0.0/16", "::1"},
	"words":                   {"headmate", "person/people", "part"},
}

func settingVariable(name string) string {
	return "SWITCHLOG_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// printedSettings runs config print.
func printedSettings(t *testing.T, environ []string, args ...string) map[string]settingInfo {
	t.Helper()
	out, errOut, code := runCommand(t, environ, append([]string{"config", "print", "--json"}, args...)...)
	var list []settingInfo
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitOK {
		t.Fatalf("%v %v: got exit code %d, %q, %q, %v", environ, args, code, out, errOut, err)
	}
	settings := map[string]settingInfo{}
	for _, s := range list {
		settings[s.Setting] = s
	}
	return settings
}

// TestConfigPrint: every setting is shown with its value from the file, from the
// environment above it, from the flag above both, and where that is; all others
// are said to be defaults.
func TestConfigPrint(t *testing.T) {
	t.Chdir(t.TempDir())
	fields := 0
	for f := range reflect.TypeFor[Config]().Fields() {
		if f.IsExported() {
			fields++
		}
	}
	if names := settingNames(); fields != len(names) {
		t.Errorf("Config has %d settings, and %d are known: %v", fields, len(names), names)
	}
	for _, name := range settingNames() {
		values, ok := settingSamples[name]
		if !ok {
			t.Errorf("%s has no values in the table", name)
			continue
		}
		var environ, args []string
		if name == "nats-creds-file" {
			environ = []string{"SWITCHLOG_NATS=nats://127.0.0.1:1"}
		}
		writeTestFile(t, configFile, "")
		before := printedSettings(t, environ)
		if got := before[name].From; got != fromDefault {
			t.Errorf("%s, given nowhere: from %q", name, got)
		}
		for i, from := range []string{fromFile, fromEnvironment, fromFlag} {
			switch from {
			case fromFile:
				writeTestFile(t, configFile, name+`: "`+values[i]+"\"\n")
			case fromEnvironment:
				environ = append(environ, settingVariable(name)+"="+values[i])
			case fromFlag:
				args = []string{"--" + name + "=" + values[i]}
			}
			settings := printedSettings(t, environ, args...)
			if got, want := settings[name], (settingInfo{name, values[i], from, false}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			for other, s := range settings {
				if other != name && s.From != before[other].From || len(settings) != fields {
					t.Errorf("%s given: got %+v of %d, want it from %s", name, s, len(settings), before[other].From)
				}
			}
		}
	}
	writeTestFile(t, configFile, "words: headmate\n")
	out, _, _ := runCommand(t, nil, "config", "print")
	if lines := strings.Split(out, "\n"); len(lines) != fields+2 || !slices.Contains(strings.Fields(lines[0]), "FROM") || !strings.Contains(out, "headmate") {
		t.Errorf("got the table\n%s", out)
	}
	if got := printedSettings(t, nil, "--data", "here")["secret-key-file"].Value; got != filepath.Join("here", "secret.key") {
		t.Errorf("the key's file is %q", got)
	}
}

// noSecret wants nothing of the secrets of the tests in a text.
func noSecret(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range []string{"s3c", "r3t", "adauser"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s: a secret is in %q", what, text)
		}
	}
}

// secretValues are values with a secret in each place of a URL.
var secretValues = []string{
	"nats://adauser:s3cr3t@127.0.0.1:4222", "nats://s3cr3t@127.0.0.1:4222", "nats://:s3cr3t@127.0.0.1:4222", "nats://adauser:s3c/r3t@127.0.0.1:4222",
	"nats://adauser:s3c@r3t@127.0.0.1:4222", "nats://adauser:s3c?r3t@127.0.0.1:4222", "https://adauser:s3cr3t@ca.example/dir", "https://ca.example/dir?token=s3cr3t",
	"https://ca.example/dir?token=s3c@r3t", "https://ca.example/#s3cr3t", "https://a.example,https://adauser:s3cr3t@b.example",
}

// TestConfigShowsNoSecret: a secret in any setting, from any place, is in no
// answer and no error of print, check and serve, not even in part.
func TestConfigShowsNoSecret(t *testing.T) {
	t.Chdir(t.TempDir())
	runs := 0
	show := func(what string, environ []string, args ...string) { // check, and print in each form in its course
		t.Helper()
		runs++
		for _, command := range []string{"config check", "config print" + []string{"", " --json", " --format csv"}[runs%3]} {
			out, errOut, _ := runCommand(t, environ, append(strings.Fields(command), args...)...)
			if out+errOut == "" {
				t.Errorf("%s %s: says nothing", command, what)
			}
			noSecret(t, command+" "+what, out+errOut)
		}
	}
	for i, name := range settingNames() {
		values := []string{secretValues[i%len(secretValues)]}
		switch {
		case name == "nats" || name == "acme-ca":
			values = secretValues
		case name == "nats-creds-file" || strings.HasSuffix(name, "listen"):
			values = append(values, "adauser:s3cr3t@x")
		}
		for _, value := range values {
			writeTestFile(t, configFile, name+": \""+value+"\"\n")
			show(name+" in the file", nil)
			writeTestFile(t, configFile, "")
			show(name+" in the environment", []string{settingVariable(name) + "=" + value})
			show(name+" as a flag", nil, "--"+name+"="+value)
		}
	}
	for _, file := range []string{"s3cr3t", "- s3cr3t", "nats: [s3cr3t]", "nats: *s3cr3t", "nats: !s3cr3t x", "nats: {s3cr3t", "nats: a: s3cr3t", "\ts3cr3t: x", "nats: \"s3cr3t\\q\"", "nats://adauser:s3cr3t@h: 4222", "nats: x\nnats: s3cr3t", "debug: s3cr3t"} {
		writeTestFile(t, configFile, file+"\n")
		show(file, nil)
		if _, errOut, code := runCommand(t, nil, "serve"); code != exitUsage {
			t.Errorf("%s: serve: exit code %d, %q", file, code, errOut)
		} else {
			noSecret(t, "serve "+file, errOut)
		}
	}
	writeTestFile(t, configFile, "")
	for value, shown := range map[string]string{"nats://adauser:s3cr3t@127.0.0.1:4222": "nats://***@127.0.0.1:4222", "nats://s3cr3t@127.0.0.1:4222": "nats://***@127.0.0.1:4222"} {
		if got, want := printedSettings(t, nil, "--nats", value)["nats"], (settingInfo{"nats", shown, fromFlag, true}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestConfigCheck: all that is wrong is said at once, each with one hint, where
// serve says the first; nothing is written.
func TestConfigCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	out, errOut, code := runCommand(t, nil, "config", "check")
	if code != exitOK || errOut != "" || strings.Count(out, "\n") != 1 || strings.Count(out, ".\n") != 1 {
		t.Errorf("all is well: got exit code %d, %q, %q", code, out, errOut)
	}
	if _, errOut, code := runCommand(t, nil, "config", "check", "extra"); code != exitUsage {
		t.Errorf("wrong usage: got exit code %d, %q", code, errOut)
	}
	writeTestFile(t, configFile, "listn: x\nwords: [a, b]\nprivate-listen: nowhere\nhidden-members: all\nlog-format: xml\nnats-creds-file: f\ndomain: hooks\nacme-http-listen: x\nacme-ca: x\nacme-ca-roots: nosuch.pem\n")
	environ := []string{"SWITCHLOG_LISEN=x", "SWITCHLOG_DEBUG=maybe", "SWITCHLOG_ROLES=query", "SWITCHLOG_CONNECTIONS_PER_ADDRESS=0", "SWITCHLOG_PUBLIC_URL=ftp://x"}
	args := []string{"--reconcile-every=1s", "--allow-origin=x", "--allow-host=x:1", "--trusted-proxies=x", "--deliver-allow=x", "--listen=x", "--nats-listen=x", "--pluralkit-api=x"}
	says := []string{`"listn"`, "words", "--private-listen", "--hidden-members", "--log-format", "--nats-creds-file", "--domain", "--acme-http-listen", "--acme-ca ", "--acme-ca-roots",
		"SWITCHLOG_LISEN ", "SWITCHLOG_DEBUG", "--roles", "--connections-per-address", "--public-url", "--reconcile-every", "--allow-origin", "--allow-host", "--trusted-proxies", "--deliver-allow", "--listen", "--nats-listen", "--pluralkit-api"}
	out, errOut, code = runCommand(t, environ, append([]string{"config", "check"}, args...)...)
	lines := strings.Split(strings.TrimSuffix(errOut, "\n"), "\n")
	if code != exitFailed || out != "" || len(lines) != len(says) {
		t.Errorf("got exit code %d, %q and %d lines, want %d:\n%s", code, out, len(lines), len(says), errOut)
	}
	for _, line := range lines {
		if strings.Count(line, "(hint: ") != 1 || foreignWords.MatchString(line) {
			t.Errorf("want one hint and our words: %s", line)
		}
	}
	for _, part := range says {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, part) }) {
			t.Errorf("nothing is said of %s in\n%s", part, errOut)
		}
	}
	_, first, code := runCommand(t, environ, append([]string{"serve"}, args...)...)
	if code != exitUsage || !strings.Contains(first, strings.Split(lines[0], " (hint")[0]) {
		t.Errorf("serve: got exit code %d, %q, want %q", code, first, lines[0])
	}
	writeTestFile(t, configFile, "nats: nats://127.0.0.1:1\nnats-creds-file: nosuch.creds\n")
	if _, errOut, code := runCommand(t, nil, "config", "check"); code != exitFailed || !strings.Contains(errOut, "nosuch.creds") {
		t.Errorf("a file that is not there: got exit code %d, %q", code, errOut)
	}
	if files, err := os.ReadDir("."); err != nil || len(files) != 1 {
		t.Errorf("got the files %v, %v, want the settings alone", files, err)
	}
}
