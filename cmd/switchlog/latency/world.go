package latency

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	startWithin = time.Minute // seconds on a small machine; the rest is for one that is busy
	stopWithin  = 15 * time.Second
)

// world is a server, and all who stand around it.
type world struct {
	Config
	token  string // PluralKit's
	public string // address of the listener
	client *http.Client
	seen   [4]chan time.Time // by step: when a switch came there

	server  *exec.Cmd
	said    bytes.Buffer // by the server; read when it has ended
	nc      *nats.Conn
	discord *http.Server
}

// open starts the server and everybody around it.
func open(ctx context.Context, c Config) (_ *world, err error) {
	w := &world{Config: c, token: newUUID() + newUUID(), client: &http.Client{Timeout: stepWithin}}
	for i := range w.seen {
		w.seen[i] = make(chan time.Time, MaxSwitches)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if err := w.start(ctx); err != nil {
		return nil, err
	}
	if _, err := w.command(ctx, w.token, "source", "add", "pluralkit", "--token-file", "-", "--system", system); err != nil {
		return nil, err
	}
	address, err := w.listenAsDiscord()
	if err != nil {
		return nil, err
	}
	if _, err := w.command(ctx, address, "webhook", "add", "discord", "--url-file", "-", "--owner-only", "--event", "front.changed"); err != nil {
		return nil, err
	}
	return w, w.subscribe(ctx)
}

// start starts the server and waits until it is ready.
func (w *world) start(ctx context.Context) error {
	w.server = w.process(context.WithoutCancel(ctx), "serve", "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0",
		"--deliver-allow", "127.0.0.1/32")
	w.server.Stdout, w.server.Stderr = &w.said, &w.said
	if err := w.server.Start(); err != nil {
		w.server = nil
		return err
	}
	for deadline := time.Now().Add(startWithin); ; {
		b, err := os.ReadFile(filepath.Join(w.data(), "endpoints.json"))
		var at struct{ Public string }
		if err == nil && json.Unmarshal(b, &at) == nil {
			w.public = at.Public
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server did not start within %v", startWithin)
		}
		if !sleep(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
}

func (w *world) data() string { return filepath.Join(w.Dir, "data") }

// process is a command of the program, with no settings but those given here.
func (w *world) process(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.Program, append(args, "--data", w.data())...) // #nosec G204 -- this very program, by the operator
	cmd.Dir = w.Dir
	for _, v := range w.Env {
		if !strings.HasPrefix(v, "SWITCHLOG_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	return cmd
}

// command runs a command to its end and gives what it says.
func (w *world) command(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	cmd := w.process(ctx, args...)
	var errOut bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin+"\n"), &errOut
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", args[0], args[1], err, strings.TrimSpace(errOut.String()))
	}
	return out, nil
}

// listenAsDiscord takes messages as Discord does, and gives the address of a
// channel's webhook.
func (w *world) listenAsDiscord() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	w.discord = &http.Server{ReadHeaderTimeout: stepWithin, Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		w.came(stepMessage)
		rw.WriteHeader(http.StatusNoContent)
	})}
	go w.discord.Serve(l) // until close
	return "http://" + l.Addr().String() + "/api/webhooks/1234567890123456789/" + strings.ReplaceAll(newUUID()+newUUID(), "-", ""), nil
}

func (w *world) came(step int) {
	select {
	case w.seen[step] <- time.Now():
	default: // more than there were switches: nobody waits for it
	}
}

// subscribe listens for events and changes.
func (w *world) subscribe(ctx context.Context) error {
	out, err := w.command(ctx, "", "access", "show", "admin", "--json")
	if err != nil {
		return err
	}
	var admin struct {
		URL      string `json:"nats_url"`
		User     string `json:"nats_user"`
		Password string `json:"nats_password"`
	}
	if err := json.Unmarshal(out, &admin); err != nil {
		return fmt.Errorf("access show: %w", err)
	}
	if w.nc, err = nats.Connect(admin.URL, nats.UserInfo(admin.User, admin.Password)); err != nil {
		return err
	}
	for step, subject := range map[int]string{
		stepEvent:  "events.pluralkit." + system + ".switch.create",
		stepChange: "changes.pluralkit." + system + ".front",
	} {
		if _, err := w.nc.Subscribe(subject, func(*nats.Msg) { w.came(step) }); err != nil {
			return err
		}
	}
	return w.nc.FlushTimeout(stepWithin)
}

// close ends everything that was begun.
func (w *world) close() error {
	if w.nc != nil {
		w.nc.Close()
	}
	var errs []error
	if w.server != nil {
		late := time.AfterFunc(stopWithin, func() { _ = w.server.Process.Kill() }) // it has ended, else
		err := w.server.Process.Signal(syscall.SIGTERM)
		if err == nil || errors.Is(err, os.ErrProcessDone) {
			err = w.server.Wait()
		}
		late.Stop()
		if err != nil {
			said := w.said.String()
			errs = append(errs, fmt.Errorf("the server: %w: %s", err, said[max(0, len(said)-2000):]))
		}
	}
	if w.discord != nil {
		errs = append(errs, w.discord.Close())
	}
	return errors.Join(errs...)
}
