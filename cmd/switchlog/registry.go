package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"switchlog/ingest"
	"switchlog/ingest/registry"
	"switchlog/processor"
	"switchlog/schemas"
)

const (
	mergeEvery = 10 * time.Second // at the latest: the log's word that the registry changed may be lost with a connection
	mergeRetry = time.Second      // after an error

	// foldedWithin is how long the answer to a command waits for the database to know of it.
	foldedWithin = 2 * time.Second
)

// openRegistry opens the sources and subscriptions. The log may know of more where secrets.db is empty: after
// secrets.db was lost, and on a node that joins others.
func (n *node) openRegistry(ctx context.Context) (err error) {
	_, noLog := os.Stat(n.path(dirNATS))
	n.registry, err = registry.Open(ctx, registry.Config{
		Kinds: ingest.Kinds,
		Path:  n.path(fileSecrets), SeenPath: n.path(fileSeen), KeyPath: n.secretKeyPath(), PublicURL: n.publicURL(), Log: n.log,
		Whose:    func(ctx context.Context, _, token string) (string, error) { return n.reconcilers.Whose(ctx, token) },
		LogKnows: n.cfg.NATS != "" || noLog == nil || n.spool.State().Anchor.Epoch != "",
	}, n.spool)
	return err
}

// learnRegistry keeps the registry as the log has it: at the start, and each time another node that
// shares the log has changed it.
func (n *node) learnRegistry(ctx context.Context) error {
	if !n.logReached(ctx) {
		return nil
	}
	changed := make(chan *nats.Msg, 1)
	subject := schemas.TenantSubjects(schemas.Events, schemas.SelfSource, schemas.SelfTenant)
	sub, err := n.nc.Subscribe(subject, func(m *nats.Msg) {
		select {
		case changed <- m:
		default: // it will be merged with the one that waits
		}
	})
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	defer func() {
		if err := sub.Unsubscribe(); err != nil {
			n.log.Debug("registry: unsubscribe", "err", err)
		}
	}()
	said := ""
	for from := uint64(1); ctx.Err() == nil; {
		wait := mergeEvery
		if from, err = n.mergeRegistry(ctx, from); err == nil {
			n.registry.Learned()
			said = ""
		} else if ctx.Err() == nil {
			wait = mergeRetry
			if err.Error() != said {
				said = err.Error()
				n.log.Warn("the registry was not read from the log; it is tried again", "err", err)
			}
		}
		late := time.NewTimer(wait)
		select {
		case <-changed:
		case <-late.C:
		case <-ctx.Done():
		}
		late.Stop()
	}
	return nil
}

// mergeRegistry takes over what the log knows of the registry and we do not, from a sequence on, and
// returns the sequence to go on from. To read means to look through that part of the log, so first
// the events are counted.
func (n *node) mergeRegistry(ctx context.Context, from uint64) (next uint64, err error) {
	var events []schemas.Event
	var count uint64
	nouns := registry.Nouns() // not deliveries, of which there are many
	for _, noun := range nouns {
		of, err := n.events.Count(ctx, registrySubject(noun))
		if err != nil {
			return from, err
		}
		count += of
	}
	if count == n.registry.InLog() {
		return from, nil
	}
	next = from
	for _, noun := range nouns {
		err := n.events.Read(ctx, processor.ReadOptions{From: from, Subject: registrySubject(noun)}, func(e schemas.Recorded, _ schemas.Message) error {
			events = append(events, e.Event)
			next = max(next, e.Seq+1)
			return nil
		})
		if err != nil {
			return from, err
		}
	}
	if err := n.registry.Merge(ctx, events); err != nil {
		return from, err
	}
	return next, nil
}

func registrySubject(noun string) string {
	return schemas.LogEvents + "." + schemas.SelfSource + "." + schemas.SelfTenant + "." + noun + ".*"
}

// registryProblems says whose requests cannot be judged. That is for a node that takes some.
func (n *node) registryProblems() (problems []string) {
	if !n.runs(roleIngest) {
		return nil
	}
	if n.registry.Unsure() {
		problems = append(problems, "no sender is known here, and the log, which may know some, was not read yet: all requests are answered with 503")
	}
	for _, s := range n.registry.Sources() {
		if s.CannotVerify {
			problems = append(problems, fmt.Sprintf("the secret of source %[1]s %[2]s is not on this machine: what it sends is answered with 503 "+
				"(hint: give it again: switchlog source rotate %[1]s %[2]s; or stop the server and put secrets.db and secret.key back from a copy; nodes share secrets by the same secret.key)",
				s.Kind, s.Name))
		}
	}
	return problems
}

// folded has a command that changes something answered once the database knows of it, so that the
// next command finds what this one has answered. It does not wait for long: the change is durable.
func (n *node) folded(h http.Handler) http.Handler {
	if !n.runs(roleProcess) {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w = &foldedWriter{ResponseWriter: w, wait: func() {
				ctx, cancel := context.WithTimeout(r.Context(), foldedWithin)
				defer cancel()
				if err := n.settled(ctx); err != nil && !errors.Is(err, context.Canceled) {
					n.log.Debug("a command is answered before the database knows of it", "err", err)
				}
			}}
		}
		h.ServeHTTP(w, r)
	})
}

// foldedWriter waits before a success is written.
type foldedWriter struct {
	http.ResponseWriter
	wait func()
}

func (w *foldedWriter) WriteHeader(status int) {
	if status < 300 {
		w.wait()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *foldedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
