package test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
)

// natsServer is the stand-alone server of the module we embed.
var natsServer = sync.OnceValues(func() (string, error) {
	path, err := program()
	if err != nil {
		return "", err
	}
	path = filepath.Join(filepath.Dir(path), "nats-server")
	build := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// outside is a NATS server in its own process, started from the nats.conf at
// the root, as an operator would.
type outside struct {
	t    *testing.T
	dir  string
	conf string
	port int
	cmd  *exec.Cmd
	done chan error
}

const outsidePassword = "outside-admin-password"

func startOutside(t *testing.T) *outside {
	t.Helper()
	// nats.conf has a fixed port; the command line overrides it.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{t: t, dir: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if o.conf, err = filepath.Abs("../nats.conf"); err != nil {
		t.Fatal(err)
	}
	o.start()
	t.Cleanup(o.kill)
	return o
}

func (o *outside) start() {
	o.t.Helper()
	path, err := natsServer()
	if err != nil {
		o.t.Fatal(err)
	}
	o.cmd = exec.Command(path, "-c", o.conf, "-p", fmt.Sprint(o.port))
	o.cmd.Env = append(os.Environ(), "SWITCHLOG_NATS_STORE_DIR="+o.dir,
		"SWITCHLOG_NATS_PASSWORD="+outsidePassword, "SWITCHLOG_NATS_SYS_PASSWORD=outside-sys-password")
	if err := o.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(o.cmd, o.done)
	await(o.t, "the outside NATS server", func() bool {
		nc, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", o.port), nats.UserInfo("admin", outsidePassword))
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
}

func (o *outside) url() string {
	return fmt.Sprintf("nats://admin:%s@127.0.0.1:%d", outsidePassword, o.port)
}

func (o *outside) kill() {
	if o.done == nil {
		return
	}
	if err := o.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		o.t.Errorf("kill: %v", err)
	}
	<-o.done
	o.done = nil
}

// signal freezes (SIGSTOP) or thaws (SIGCONT) the server.
func (o *outside) signal(sig syscall.Signal) {
	o.t.Helper()
	if err := o.cmd.Process.Signal(sig); err != nil {
		o.t.Fatal(err)
	}
}
