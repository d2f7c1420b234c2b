package processor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/nats-io/nats-server/v2/server"
)

// A server that cannot read a stream when it starts, because the disk refuses
// one block just then, removes the whole stream from the disk, with one line of
// warning. So each start first links what is there to a second name; what the
// server then does not have is put back as it was, and tried again.

const (
	dirKept  = "kept" // in the store directory, beside server.JetStreamStoreDir
	metaFile = "meta.inf"
)

// keptStream is a stream on the disk: its account and name.
type keptStream struct{ account, name string }

func (k keptStream) in(store string) string {
	return filepath.Join(store, server.JetStreamStoreDir, k.account, "streams", k.name)
}

func (k keptStream) kept(store string) string {
	return filepath.Join(store, dirKept, k.account, k.name)
}

// keep links the files of all streams. Nothing may run on the store. What an
// end between keep and release left is put back first.
func keep(store string) (streams []keptStream, err error) {
	left, err := filepath.Glob(keptStream{"*", "*"}.kept(store))
	if err != nil {
		return nil, err
	}
	for _, dir := range left {
		if err := putBack(store, keptStream{filepath.Base(filepath.Dir(dir)), filepath.Base(dir)}); err != nil {
			return nil, err
		}
	}
	if err := release(store); err != nil {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(keptStream{"*", "*"}.in(store), metaFile))
	if err != nil {
		return nil, err
	}
	for _, path := range found {
		dir := filepath.Dir(path)
		k := keptStream{filepath.Base(filepath.Dir(filepath.Dir(dir))), filepath.Base(dir)}
		if err := linkAll(dir, k.kept(store)); err != nil {
			return nil, err
		}
		streams = append(streams, k)
	}
	return streams, nil
}

// linkAll gives each file below from a second name below to; the first of all
// last: putBack takes a stream for whole that has its metaFile.
func linkAll(from, to string) error {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		if rel == metaFile {
			return nil
		}
		return os.Link(path, filepath.Join(to, rel))
	})
	if err != nil {
		return err
	}
	return os.Link(filepath.Join(from, metaFile), filepath.Join(to, metaFile))
}

// putBack puts a stream back that is not in its place any more.
func putBack(store string, k keptStream) error {
	if _, err := os.Stat(filepath.Join(k.in(store), metaFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(k.kept(store), metaFile)); errors.Is(err, fs.ErrNotExist) {
		return nil // half linked: it was whole in its place then
	}
	if err := os.RemoveAll(k.in(store)); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(k.in(store)), 0o700); err != nil {
		return err
	}
	return os.Rename(k.kept(store), k.in(store))
}

// release forgets the second names.
func release(store string) error { return os.RemoveAll(filepath.Join(store, dirKept)) }

// hold looks which of the streams that were on the disk the server has not
// read back, and puts those back.
func (s *Server) hold(ns *server.Server, streams []keptStream) error {
	info, err := ns.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return err
	}
	has := map[keptStream]bool{}
	for _, account := range info.AccountDetails {
		for _, stream := range account.Streams {
			has[keptStream{account.Name, stream.Name}] = true
		}
	}
	s.gaveUp = nil
	for _, k := range streams {
		if has[k] {
			continue
		}
		if err := putBack(s.config.StoreDir, k); err != nil {
			return fmt.Errorf("the server gave up stream %s, and its files cannot be put back from %s: %w", k.name, k.kept(s.config.StoreDir), err)
		}
		s.gaveUp = append(s.gaveUp, k.name)
	}
	slices.Sort(s.gaveUp)
	return release(s.config.StoreDir)
}
