package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"switchlog/test/fakepk"
)

// TestClients: programs made for PluralKit get from the mirror what they get
// from PluralKit. Two client libraries ask both for everything that they can
// ask for, as a system's owner, as another's, and as anybody, and of a system
// in which there is nothing; what they make of it is the same, their errors
// too. It says so in a table. A call that is in a library and not in the table
// fails.
func TestClients(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newClientWorld(t)
	fake := httptest.NewServer(fakepk.NewAPI(t, w.World, fakepk.APIConfig{Unlimited: true}))
	t.Cleanup(fake.Close)
	s := start(t, t.TempDir(), "--pluralkit-api", fake.URL)
	installed := install(t)
	s.follow(w, w.full)
	programs := installed()

	// The program's own readers: the operator, who is the owner while there is
	// one system, and anybody.
	pairs := []clientPair{
		{"operator", w.job(fake.URL, w.full.Token(), w.full), w.job(s.Private, s.token(), w.full)},
		{"anybody", w.job(fake.URL, "", w.full), w.job(s.Private, "", w.full)},
	}
	table := w.compare(programs, pairs)

	// Readers of one system each, on what the program has written.
	s.follow(w, w.other, w.empty)
	s.stop()
	ours := w.mirrorOf(s.dir)
	pairs = nil
	for _, p := range []struct {
		who   string
		token string
		of    *fakepk.System
	}{
		{"owner", w.full.Token(), w.full}, {"another owner", w.other.Token(), w.full}, {"nobody's token", "nobody's", w.full},
		{"empty: owner", w.empty.Token(), w.empty}, {"empty: another", w.full.Token(), w.empty}, {"empty: anybody", "", w.empty},
		{"closed: owner", w.other.Token(), w.other}, {"closed: another", w.full.Token(), w.other}, {"closed: anybody", "", w.other},
	} {
		pairs = append(pairs, clientPair{p.who, w.job(fake.URL, p.token, p.of), w.job(ours, p.token, p.of)})
	}
	table = append(table, w.compare(programs, pairs)...)
	logTable(t, table)
}

// A clientJob is one reader and what to ask for, as both programs read it.
type clientJob struct {
	Base     string   `json:"base"`
	Token    string   `json:"token"`
	Systems  []string `json:"systems"`
	Members  []string `json:"members"`
	Groups   []string `json:"groups"`
	Switches []string `json:"switches"`
	Guilds   []string `json:"guilds"`
	Messages []string `json:"messages"`
	Before   []string `json:"before"`
}

// A clientPair is one reader at PluralKit and at the mirror.
type clientPair struct {
	who        string
	fake, ours clientJob
}

// job asks for everything in a system and for what is not there.
func (w *clientWorld) job(base, token string, s *fakepk.System) clientJob {
	truth := w.Truth(s)
	j := clientJob{Base: base, Token: token, Guilds: []string{clientGuild, clientOtherGuild, clientNoGuild},
		Systems:  append([]string{s.HID(), s.UUID(), "zzzzz", "1150000000000000999"}, slices.Sorted(maps.Keys(truth.Accounts))...),
		Members:  []string{"zzzzz", "00000000-0000-4000-8000-000000000000"},
		Groups:   []string{"zzzzz"},
		Switches: []string{"00000000-0000-4000-8000-000000000000"},
		Messages: []string{"1150000000000000998"},
		Before:   []string{w.made.UTC().Format(time.RFC3339Nano)},
	}
	if token != "" {
		j.Systems = append(j.Systems, "@me")
	}
	for _, uuid := range slices.Sorted(maps.Keys(truth.Members)) {
		j.Members = append(j.Members, uuid, truth.Members[uuid]["id"].(string))
	}
	for _, uuid := range slices.Sorted(maps.Keys(truth.Groups)) {
		j.Groups = append(j.Groups, uuid, truth.Groups[uuid]["id"].(string))
	}
	ids := slices.Sorted(maps.Keys(truth.Switches))
	j.Switches = append(j.Switches, ids[:min(3, len(ids))]...)
	if len(ids) > 3 {
		j.Before = append(j.Before, truth.Switches[ids[3]].Timestamp)
	}
	for _, d := range w.deliveries {
		var e struct{ Data struct{ ID, Original string } }
		if d.Type == "CREATE_MESSAGE" && d.System == s.UUID() && json.Unmarshal(d.Body, &e) == nil {
			j.Messages = append(j.Messages, e.Data.ID, e.Data.Original)
		}
	}
	return j
}

// A clientAnswer is what a program made of one answer.
type clientAnswer struct {
	Job    int             `json:"job"`
	Call   string          `json:"call"`
	Args   json.RawMessage `json:"args"`
	Answer json.RawMessage `json:"answer"`
	Error  json.RawMessage `json:"error"`
}

// said is all of it but whose it was.
func (a clientAnswer) said() string {
	return fmt.Sprintf("%s %s: %s %s", a.Call, a.Args, a.Answer, a.Error)
}

// A clientRow is a line of the table.
type clientRow struct {
	client, call, who     string
	same, errors, differs int
}

// compare lets each program ask both sides of each pair.
func (w *clientWorld) compare(programs map[string][]string, pairs []clientPair) (table []clientRow) {
	w.t.Helper()
	var jobs []clientJob
	for _, p := range pairs {
		jobs = append(jobs, p.fake, p.ours)
	}
	for _, client := range slices.Sorted(maps.Keys(programs)) {
		answers := runClient(w.t, programs[client], jobs)
		for i, p := range pairs {
			table = append(table, compareOne(w.t, client, p.who, answers[2*i], answers[2*i+1])...)
		}
	}
	return table
}

func compareOne(t *testing.T, client, who string, want, got map[string]clientAnswer) (table []clientRow) {
	t.Helper()
	byCall := map[string]*clientRow{}
	for key := range want {
		call := want[key].Call
		row := byCall[call]
		if row == nil {
			row = &clientRow{client: client, call: call, who: who}
			byCall[call] = row
		}
		if got[key].said() != want[key].said() {
			row.differs++
			t.Errorf("%s, as %s\ngot  %s\nwant %s", client, who, got[key].said(), want[key].said())
			continue
		}
		row.same++
		if len(want[key].Error) > 0 {
			row.errors++
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s, as %s: got %d answers, want %d", client, who, len(got), len(want))
	}
	for _, call := range slices.Sorted(maps.Keys(byCall)) {
		table = append(table, *byCall[call])
	}
	return table
}

// runClient gives the answers to each job by call and arguments.
func runClient(t *testing.T, program []string, jobs []clientJob) []map[string]clientAnswer {
	t.Helper()
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, tail(stderr.String(), 8000))
	}
	answers := make([]map[string]clientAnswer, len(jobs))
	for i := range answers {
		answers[i] = map[string]clientAnswer{}
	}
	for d := json.NewDecoder(&stdout); d.More(); {
		var a clientAnswer
		if err := d.Decode(&a); err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		key := a.Call + string(a.Args)
		if _, twice := answers[a.Job][key]; twice {
			t.Fatalf("%s asks %s twice", program, key)
		}
		answers[a.Job][key] = a
	}
	return answers
}

// logTable has a line for each call: of how many answers, and how many of them
// errors, each reader got the same.
func logTable(t *testing.T, table []clientRow) {
	t.Helper()
	var who []string
	cells := map[[2]string]map[string]clientRow{}
	for _, r := range table {
		if !slices.Contains(who, r.who) {
			who = append(who, r.who)
		}
		key := [2]string{r.client, r.call}
		if cells[key] == nil {
			cells[key] = map[string]clientRow{}
		}
		cells[key][r.who] = r
	}
	var b strings.Builder
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "call\t%s\n", strings.Join(who, "\t"))
	keys := slices.SortedFunc(maps.Keys(cells), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	answers, errors := 0, 0
	for _, key := range keys {
		fmt.Fprintf(out, "%s %s", key[0], key[1])
		for _, name := range who {
			r := cells[key][name]
			answers, errors = answers+r.same+r.differs, errors+r.errors
			word := "="
			if r.differs > 0 {
				word = fmt.Sprintf("%d differ", r.differs)
			}
			fmt.Fprintf(out, "\t%s %d (%d)", word, r.same, r.errors)
		}
		fmt.Fprintln(out)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d answers of %d calls; in brackets the errors, %d in all\n%s", answers, len(keys), errors, &b)
	if errors == 0 || errors == answers {
		t.Errorf("got %d errors in %d answers, want some of both", errors, answers)
	}
}

// install begins to install the programs, and gives what waits for them.
func install(t *testing.T) (installed func() map[string][]string) {
	t.Helper()
	bin, dir := filepath.Join(t.TempDir(), "pkgo"), t.TempDir()
	var g errgroup.Group
	g.Go(func() error { return installPkgo(t, bin) })
	g.Go(func() error { return installPkapi(t, dir) })
	return func() map[string][]string {
		t.Helper()
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		return map[string][]string{"pkgo": {bin}, "pkapi.js": {"node", filepath.Join(dir, "driver.mjs")}}
	}
}

// installPkgo builds the program that uses pkgo: a module of its own, so that
// what the library needs is no part of ours.
func installPkgo(t *testing.T, bin string) error {
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".")
	build.Dir = filepath.Join("clients", "pkgo")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s (hint: go -C test/clients/pkgo mod download)", err, out)
	}
	return nil
}

// installPkapi puts the program that uses pkapi.js into a folder, and beside it
// the library.
func installPkapi(t *testing.T, dir string) error {
	for _, name := range []string{"package.json", "package-lock.json", "driver.mjs"} {
		b, err := os.ReadFile(filepath.Join("clients", "pkapi", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			return err
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s (hint: make needs)", err, out)
	}
	return nil
}
