//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

const natsPassword = "bench-admin-password"

// natsServer is a NATS server in its own process, the same for everybody:
// switchlog's nats.conf, with or without an fsync for each acknowledgement.
type natsServer struct {
	*process
	dir, url string
	nc       *nats.Conn
	js       jetstream.JetStream
}

// startNATS starts one on an empty directory.
func (b *bench) startNATS(always bool) (s *natsServer, err error) {
	s = &natsServer{}
	if s.dir, err = os.MkdirTemp(b.dir, "nats-"); err != nil {
		return nil, err
	}
	conf, err := os.ReadFile("nats.conf")
	if err != nil {
		return nil, fmt.Errorf("%w (hint: run this in the root of the repository)", err)
	}
	text := string(conf)
	if !always {
		text = strings.Replace(text, "sync_interval: always", `sync_interval: "2m"`, 1) // the server's default
	}
	path := filepath.Join(s.dir, "nats.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	s.process, err = startProcess([]string{
		"SWITCHLOG_NATS_STORE_DIR=" + filepath.Join(s.dir, "store"),
		"SWITCHLOG_NATS_PASSWORD=" + natsPassword, "SWITCHLOG_NATS_SYS_PASSWORD=bench-sys-password",
	}, b.binary("nats-server"), "-c", path, "-p", port)
	if err != nil {
		return nil, err
	}
	s.url = "nats://admin:" + natsPassword + "@" + addr
	err = s.await("NATS server", patience, func() bool {
		s.nc, err = nats.Connect(s.url)
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	s.js, err = jetstream.New(s.nc)
	return s, err
}

// makeStream makes the stream that switchlog would make, for the peers.
func (s *natsServer) makeStream(ctx context.Context) error {
	_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: schemas.StreamEvents, Subjects: []string{schemas.LogEvents + ".>"},
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew, Duplicates: 2 * time.Minute,
		RePublish:          &jetstream.RePublish{Source: schemas.LogEvents + ".>", Destination: schemas.Events + ".>"},
		AllowAtomicPublish: true,
	})
	return err
}

func (s *natsServer) stop() error {
	if s.nc != nil {
		s.nc.Close()
	}
	if s.process == nil {
		return nil
	}
	return s.end(syscall.SIGTERM)
}

// messages is how many the stream of events holds.
func messages(ctx context.Context, js jetstream.JetStream) (uint64, error) {
	s, err := js.Stream(ctx, schemas.StreamEvents)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.Msgs, nil
}
