package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// built is the folder of the binaries that were built; empty: none was.
var built string

// program is the binary under test, built once: with the race detector, but
// for a soak, which is about time and volume.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "switchlog-test-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "switchlog")
	args := []string{"build", "-race", "-o", path, "switchlog/cmd/switchlog"}
	if soaking() {
		args = slices.DeleteFunc(args, func(a string) bool { return a == "-race" })
	}
	build := exec.Command("go", args...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// gorace lets the race detector report and go on, and a process end without
// the second it would wait for more reports.
const gorace = "GORACE=halt_on_error=0 atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// Placeholders of the sample bodies.
const (
	sampleToken  = "example-token-not-a-real-secret"
	sampleSystem = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"
)

// startWithin bounds a start, and every wait for something that must happen.
// In a soak there is a hundred times as much to wait for.
var startWithin = map[bool]time.Duration{false: time.Minute, true: 15 * time.Minute}[soaking()]

// server is a running switchlog, the real binary in its own process.
type server struct {
	t    *testing.T
	dir  string
	args []string
	cmd  *exec.Cmd
	done chan error
	out  *logBuffer

	secrets []string // of this test: Check wants them nowhere

	Public  string `json:"public"`
	Private string `json:"private"`
	NATS    string `json:"nats"`
}

// logBuffer collects output of several writers.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts a server on dir and waits until it says where it listens.
func start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, args: args, out: &logBuffer{}}
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("output of the server:\n%s", tail(s.out.String(), 8000))
		}
		if strings.Contains(s.out.String(), "DATA RACE") {
			t.Errorf("the server has a data race:\n%s", s.out.String())
		}
	})
	return s
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// start starts the process (again), and wants it to run.
func (s *server) start() {
	s.t.Helper()
	if err := s.launch(); err != nil {
		s.t.Fatal(err)
	}
}

// launch starts the process and waits until it says where it listens, or ends.
func (s *server) launch() error {
	s.t.Helper()
	path, err := program()
	if err != nil {
		return err
	}
	endpoints := filepath.Join(s.dir, "endpoints.json")
	if err := os.Remove(endpoints); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	before := len(s.out.String())
	args := append([]string{"serve", "--data", s.dir, "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0"}, s.args...)
	s.cmd = exec.Command(path, args...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.Env = append(os.Environ(), gorace)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(s.cmd, s.done)
	var ended error
	await(s.t, "endpoints.json", func() bool {
		select {
		case err := <-s.done:
			s.done = nil
			ended = fmt.Errorf("the server ended at once: %v\n%s", err, tail(s.out.String(), 8000))
			return true
		default:
		}
		b, err := os.ReadFile(endpoints)
		said := s.out.String()[before:]
		return err == nil && json.Unmarshal(b, s) == nil && (strings.Contains(said, "\nready. ") || strings.Contains(said, "\nwaiting. ") || strings.Contains(said, `"msg":"ready"`))
	})
	return ended
}

// await polls until ok, for startWithin: what is awaited happens in another
// process.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(startWithin)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen in %v", what, startWithin)
		}
		<-tick.C
	}
}

// kill ends the process without warning.
func (s *server) kill() {
	if s.cmd.ProcessState != nil || s.done == nil {
		return
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("kill: %v", err)
	}
	<-s.done
	s.done = nil
}

// stop ends the process as an operator does, and wants exit code 0 within
// ten seconds.
func (s *server) stop() {
	s.t.Helper()
	begun := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.done:
		s.done = nil
		if err != nil {
			s.t.Errorf("stop: got %v, want exit code 0", err)
		}
	case <-time.After(20 * time.Second):
		s.t.Fatal("stop: still running after 20 s")
	}
	if d := time.Since(begun); d > 10*time.Second {
		s.t.Errorf("stop took %v, want at most 10 s", d)
	}
}

// cli runs a command against the server and gives its output; it must
// succeed.
func (s *server) cli(stdin string, args ...string) string {
	s.t.Helper()
	stdout, stderr, code := s.try(stdin, args...)
	if code != 0 {
		s.t.Fatalf("switchlog %s: exit code %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// try runs a command against the server. All output is searched for secrets at the end.
func (s *server) try(stdin string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	stdout, stderr, code = s.quietly(stdin, args...)
	s.out.Write([]byte(stdout))
	return stdout, stderr, code
}

// quietly is try for a command whose answer is a secret.
func (s *server) quietly(stdin string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	path, err := program()
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append(args, "--data", s.dir)...)
	cmd.Env = append(os.Environ(), gorace)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			s.t.Fatalf("switchlog %s: %v", strings.Join(args, " "), err)
		}
		code = exit.ExitCode()
	}
	s.out.Write(errOut.Bytes())
	return out.String(), errOut.String(), code
}

// secret registers a secret: Check searches for it.
func (s *server) secret(value string) string {
	s.secrets = append(s.secrets, value)
	return value
}

// addPluralKit lets the sample system in.
func (s *server) addPluralKit() {
	s.t.Helper()
	s.cli(sampleToken+"\n", "source", "add", "pluralkit", "--token-file", "-", "--system", sampleSystem)
}

// post sends a body as PluralKit does and gives the status.
func (s *server) post(body []byte) int {
	s.t.Helper()
	status, err := postTo(s.Public+"/in/pluralkit", body)
	if err != nil {
		s.t.Fatal(err)
	}
	return status
}

// wireTimeout is PluralKit's own patience.
var wire = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func postTo(url string, body []byte) (int, error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "PluralKit Dispatch (https://pluralkit.me/api/dispatch/)")
	res, err := wire.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, errors.Join(err, res.Body.Close())
}

// token is the admin token.
func (s *server) token() string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "admin.token"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// patient is an operator's client: it waits longer than the server does.
var patient = &http.Client{Timeout: startWithin}

// get asks the private listener as the operator.
func (s *server) get(path string) (status int, header http.Header, body []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.Private+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token())
	res, err := patient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	body, err = io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, res.Header, body
}

// ready waits until the log is reachable and the database has caught up.
func (s *server) ready() {
	s.t.Helper()
	await(s.t, "readiness", func() bool {
		status, _, _ := s.get("/readyz")
		return status == http.StatusOK
	})
}

// settled waits until everything accepted is in the log and in the database,
// and gives the last sequence.
func (s *server) settled() uint64 {
	s.t.Helper()
	var last uint64
	await(s.t, "an empty spool and a database that has caught up", func() bool {
		_, _, body := s.get("/api/admin/status")
		var st struct {
			Log struct {
				LastSeq uint64 `json:"last_seq"`
			}
			Projection struct{ Position uint64 }
			Spool      struct{ Depth uint64 }
		}
		if err := json.Unmarshal(body, &st); err != nil {
			s.t.Fatalf("%v: %s", err, body)
		}
		last = st.Log.LastSeq
		return st.Spool.Depth == 0 && last == st.Projection.Position
	})
	return last
}

// admin connects to NATS with the operator's credentials, as any client can.
func (s *server) admin() *nats.Conn {
	s.t.Helper()
	var a struct {
		URL      string `json:"nats_url"`
		User     string `json:"nats_user"`
		Password string `json:"nats_password"`
	}
	if err := json.Unmarshal([]byte(s.cli("", "access", "show", "admin", "--json")), &a); err != nil {
		s.t.Fatal(err)
	}
	nc, err := nats.Connect(a.URL, nats.UserInfo(a.User, a.Password))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// stored is a message of the log as a stranger reads it.
type stored struct {
	Seq     uint64
	Subject string
	MsgID   string
	Header  nats.Header
	Body    []byte
}

// stream reads a whole stream.
func (s *server) stream(name string) []stored {
	s.t.Helper()
	js, err := jetstream.New(s.admin())
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), startWithin)
	defer cancel()
	st, err := js.Stream(ctx, name)
	if err != nil {
		s.t.Fatal(err)
	}
	info := st.CachedInfo()
	var all []stored
	if info.State.Msgs == 0 {
		return all
	}
	c, err := st.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		s.t.Fatal(err)
	}
	messages, err := c.Messages()
	if err != nil {
		s.t.Fatal(err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			s.t.Fatalf("stream %s after %d messages: %v", name, len(all), err)
		}
		meta, err := m.Metadata()
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, stored{Seq: meta.Sequence.Stream, Subject: m.Subject(), MsgID: m.Headers().Get("Nats-Msg-Id"), Header: m.Headers(), Body: m.Data()})
		if meta.Sequence.Stream >= info.State.LastSeq {
			return all
		}
	}
}
