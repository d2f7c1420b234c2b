package processor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchlog/schemas"
)

// A server that cannot read a stream back removes it. Its files are put back,
// and once they can be read the stream is there.
func TestServerGivesUpAStream(t *testing.T) {
	c := testConfig(t)
	s := startServer(t, c)
	l := newLog(t, connect(t, s))
	mustRecover(t, l, schemas.Anchor{})
	stream := keptStream{"APP", schemas.StreamEvents}
	meta := filepath.Join(stream.in(c.StoreDir), metaFile)
	good, err := os.ReadFile(meta)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"no JSON", ""} {
		if err := os.WriteFile(meta, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		ill := startServer(t, c)
		if err := ill.Health(); err == nil || !strings.Contains(err.Error(), schemas.StreamEvents) || !strings.Contains(err.Error(), "(hint: ") {
			t.Errorf("Health: got %v, want that %s cannot be read, and a hint", err, schemas.StreamEvents)
		}
		if b, err := os.ReadFile(meta); err != nil || string(b) != bad {
			t.Errorf("%s: got %q, %v, want it as it was", metaFile, b, err)
		}
		if err := os.WriteFile(meta, good, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := ill.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := ill.Health(); err != nil {
			t.Errorf("Health with the file put right: got %v, want nil", err)
		}
		mustRecover(t, newLog(t, connect(t, ill)), schemas.Anchor{})
		if err := ill.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(c.StoreDir, dirKept)); !os.IsNotExist(err) {
		t.Errorf("%s: got %v, want it gone", dirKept, err)
	}
}

// After an end at any moment between keep and release, the next start has every
// stream as it was.
func TestKeepAfterACrash(t *testing.T) {
	k := keptStream{"APP", "S"}
	content := func(dir string) string {
		b, err := os.ReadFile(filepath.Join(dir, "msgs", "1.blk"))
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	for name, crash := range map[string]func(store string) error{
		"before anything": func(string) error { return nil },
		"half linked": func(store string) error {
			_, err := keep(store)
			if err == nil {
				err = os.Remove(filepath.Join(k.kept(store), metaFile))
			}
			return err
		},
		"linked": func(store string) error { _, err := keep(store); return err },
		"given up": func(store string) error {
			_, err := keep(store)
			if err == nil {
				err = os.RemoveAll(k.in(store))
			}
			return err
		},
		"put back": func(store string) error {
			_, err := keep(store)
			if err == nil {
				err = os.RemoveAll(k.in(store))
			}
			if err == nil {
				err = putBack(store, k)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := t.TempDir()
			if err := os.MkdirAll(filepath.Join(k.in(store), "msgs"), 0o700); err != nil {
				t.Fatal(err)
			}
			for path, text := range map[string]string{metaFile: "{}", "msgs/1.blk": "events"} {
				if err := os.WriteFile(filepath.Join(k.in(store), path), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := crash(store); err != nil {
				t.Fatal(err)
			}
			streams, err := keep(store)
			if err != nil || len(streams) != 1 || streams[0] != k {
				t.Fatalf("keep: got %v, %v, want %v", streams, err, k)
			}
			for _, dir := range []string{k.in(store), k.kept(store)} {
				if got := content(dir); got != "events" {
					t.Errorf("%s: got %q, want what was there", dir, got)
				}
			}
		})
	}
}
