package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// seenEvery is how often what was seen of the sources is written down, if it
// became different: a process that is killed forgets so much of it at most.
const seenEvery = time.Second

// seen is what is known of a source's requests beyond one run of the process,
// so that a person who looks after a restart does not believe that nothing ever
// came. Nothing is decided by it.
type seen struct {
	Kind      string    `json:"kind"`
	Name      string    `json:"name"`
	Created   time.Time `json:"created"` // of another source by this name nothing was seen
	Accepted  uint64    `json:"accepted"`
	Refused   uint64    `json:"refused"`
	Unstored  uint64    `json:"unstored"`
	LastEvent int64     `json:"last_event_us"`
	LastPing  int64     `json:"last_ping_us"`
	LastLost  int64     `json:"last_unstored_us"`
}

// seenNow is what was seen of each source.
func (r *Registry) seenNow() map[sourceKey]seen {
	sources := r.lookup.Load().sources
	all := make(map[sourceKey]seen, len(sources))
	for key, e := range sources {
		all[key] = seen{
			Kind: e.kind, Name: e.name, Created: e.created,
			Accepted: e.Stats.Accepted.Load(), Refused: e.Stats.Refused.Load(), Unstored: e.Stats.Unstored.Load(),
			LastEvent: e.Stats.LastEvent.Load(), LastPing: e.Stats.LastPing.Load(), LastLost: e.Stats.LastUnstored.Load(),
		}
	}
	return all
}

// loadSeen goes on from what was written down. A file that is not there or
// cannot be read is as if nothing had been seen.
func (r *Registry) loadSeen() {
	if r.SeenPath == "" {
		return
	}
	b, err := os.ReadFile(r.SeenPath)
	var all []seen
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.Log.Warn("how many requests of each source came before is not known; counting begins anew", "err", err)
		}
		return
	}
	sources := r.lookup.Load().sources
	for _, s := range all {
		e := sources[sourceKey{s.Kind, s.Name}]
		if e == nil || !e.created.Equal(s.Created) {
			continue
		}
		e.Stats.before = s.Accepted
		e.Stats.Accepted.Store(s.Accepted)
		e.Stats.Refused.Store(s.Refused)
		e.Stats.Unstored.Store(s.Unstored)
		e.Stats.LastEvent.Store(s.LastEvent)
		e.Stats.LastPing.Store(s.LastPing)
		e.Stats.LastUnstored.Store(s.LastLost)
	}
}

// Run writes down what was seen of the sources until ctx ends, and then once
// more.
func (r *Registry) Run(ctx context.Context) error {
	if r.SeenPath == "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(seenEvery)
	defer tick.Stop()
	var written map[sourceKey]seen
	failed := false
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
		now := r.seenNow()
		if maps.Equal(now, written) {
			continue
		}
		err := writeSeen(r.SeenPath, now)
		if err != nil && !failed {
			r.Log.Warn("how many requests of each source came cannot be written down", "err", err)
		}
		if failed = err != nil; !failed {
			written = now
		}
	}
	return nil
}

// writeSeen replaces the file. It is not fsynced: it outlives the process,
// and what a power failure takes of it is not worth a write to the disk every
// second.
func writeSeen(path string, all map[sourceKey]seen) error {
	b, err := json.Marshal(slices.Collect(maps.Values(all)))
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
