package ingest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"switchlog/schemas"
)

// Limits of an import.
const (
	importBatch      = 1000    // events in one call, as many as the spool takes into one transaction,
	importBatchBytes = 1 << 20 // or of so many bytes
	importFaults     = 20      // lines told about one by one

	// importAhead is how many events an import may be ahead of the database.
	// At its own speed it fills the memory of the NATS server (which keeps what
	// it wrote for ten seconds), and is done no sooner. It does not wait until the
	// two are even: reader, spool, log and fold would work in turn, and not at the
	// same time.
	importAhead = 4000

	// importWait is how long it waits for that, before it goes on: they may be
	// held up by something else.
	importWait = 10 * time.Second

	// importedRepeats is how long the spool remembers the ids of imported
	// events: longer than an import runs. What was imported before is in the
	// log, and found there.
	importedRepeats = 24 * time.Hour

	// importTenants is of how many tenants the ids are read one after the other.
	// A file that names more has all ids of the log read once.
	importTenants = 200

	maxImportLine = 2 << 20 // bytes of NDJSON; an event is at most 1 MiB
	maxImportID   = 1 << 10 // bytes; ours are at most 60, a sender's at most 1 KiB
)

// Import is what an import of events needs; all must be given.
type Import struct {
	Append Appender

	// IDs calls fn with the message id (Event.MsgID) of each event in the log
	// whose subject matches.
	IDs func(ctx context.Context, subject string, fn func(id string)) error

	// CatchUp returns when the database is at most so many events behind what
	// was accepted before the call. It is called after each batch.
	CatchUp func(ctx context.Context, behind uint64) error

	// Waits is told that CatchUp took too long, and that the import goes on.
	Waits func(error)
}

// Imported says what became of the lines of a file.
type Imported struct {
	Read     int      `json:"read"`
	New      int      `json:"new"`      // put into the log
	Known    int      `json:"known"`    // in the log already
	Registry int      `json:"registry"` // about sources of the server they came from: left out
	Refused  int      `json:"refused"`  // lines that are no event of ours
	Faults   []string `json:"faults,omitempty"`
}

// NDJSON takes events, one a line, into the log. Events the log has are left
// out: those stored already are found by the ids of the tenants that the file
// names, those on their way (and those of an import that runs at the same time)
// by the spool's index. So all that was accepted before must be in the log.
//
// The error is schemas.ErrInvalid for a file that cannot be read to its end.
func (i Import) NDJSON(ctx context.Context, body io.Reader) (Imported, error) {
	work, ctx := errgroup.WithContext(ctx)
	r := importReader{batches: make(chan []schemas.Event, 1), known: knownIDs{read: i.IDs, ids: map[idHash]bool{}, subjects: map[string]bool{}}}
	var stored Imported
	work.Go(func() error {
		defer close(r.batches)
		return r.read(ctx, body)
	})
	work.Go(func() (err error) {
		stored, err = i.store(ctx, r.batches)
		return err
	})
	err := work.Wait()
	out := r.out
	out.New, out.Known = stored.New, out.Known+stored.Known
	return out, err
}

// unreadableError is schemas.ErrInvalid without its word.
type unreadableError struct{ error }

func (unreadableError) Is(target error) bool { return target == schemas.ErrInvalid }
func (e unreadableError) Unwrap() error      { return e.error }

// importReader reads the events of a file while those before are being stored.
type importReader struct {
	batches chan []schemas.Event // of events that the log does not have
	known   knownIDs
	out     Imported // of the lines that were not given on
	batch   []schemas.Event
	bytes   int // of it
}

// read reads all lines.
func (r *importReader) read(ctx context.Context, body io.Reader) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxImportLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := r.line(ctx, n, lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return unreadableError{fmt.Errorf("after %d events: %w", r.out.Read, err)}
	}
	return r.flush(ctx)
}

// line adds an event to the batch, if the log does not have it.
func (r *importReader) line(ctx context.Context, n int, line []byte) error {
	r.out.Read++
	e, err := importable(line)
	if err != nil {
		r.out.Refused++
		if len(r.out.Faults) < importFaults {
			r.out.Faults = append(r.out.Faults, fmt.Sprintf("line %d: %v", n, err))
		}
		return nil
	}
	if e.Route.Source == schemas.SelfSource {
		r.out.Registry++
		return nil
	}
	known, err := r.known.has(ctx, e)
	if err != nil {
		return err
	}
	if known {
		r.out.Known++
		return nil
	}
	r.batch = append(r.batch, e)
	if r.bytes += len(line); len(r.batch) < importBatch && r.bytes < importBatchBytes {
		return nil
	}
	return r.flush(ctx)
}

// flush gives the batch on.
func (r *importReader) flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	select {
	case r.batches <- r.batch:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.batch, r.bytes = nil, 0
	return nil
}

// store appends batches, at most importAhead events ahead of the database. If that
// takes too long, as many are appended before it waits again.
func (i Import) store(ctx context.Context, batches <-chan []schemas.Event) (out Imported, err error) {
	for waits := importAhead; ; {
		var batch []schemas.Event
		select {
		case batch = <-batches: // nil: there are no more
		case <-ctx.Done():
			return out, ctx.Err()
		}
		if batch == nil {
			return out, nil
		}
		fresh, err := i.Append.Append(ctx, batch...)
		if err != nil {
			return out, err
		}
		out.New += fresh
		out.Known += len(batch) - fresh
		if out.New < waits {
			continue
		}
		waiting, cancel := context.WithTimeout(ctx, importWait)
		err = i.CatchUp(waiting, importAhead)
		cancel()
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		if err != nil {
			i.Waits(err)
			waits = out.New + importAhead
		}
	}
}

// importable reads one line. The event keeps its id, time and origin: a
// replayed file gives the same log again, wherever it is read.
func importable(line []byte) (schemas.Event, error) {
	var e schemas.Event
	if err := e.UnmarshalJSON(line); err != nil {
		return e, err
	}
	route, err := schemas.RouteOf(e)
	if err != nil {
		return e, err
	}
	if route.Verb == "changed" {
		return e, fmt.Errorf("%w: %s is a conclusion from events, not an event", schemas.ErrInvalid, e.Type)
	}
	if len(e.ID) > maxImportID {
		return e, fmt.Errorf("%w: an id of %d bytes", schemas.ErrInvalid, len(e.ID))
	}
	e.Route = route
	if e.Origin == "" {
		e.Origin = schemas.OriginImport
	}
	if err := e.Validate(); err != nil {
		return e, err
	}
	e.Repeats = importedRepeats
	e.Data = append([]byte(nil), e.Data...) // the line's memory is used again
	return e, nil
}

type idHash [16]byte

func hashID(id string) idHash {
	h := sha256.Sum256([]byte(id))
	return idHash(h[:16])
}

// knownIDs are ids that are in the log: those of the tenants that were asked
// for. They are hashed, since a log may have millions.
type knownIDs struct {
	read     func(ctx context.Context, subject string, fn func(id string)) error
	ids      map[idHash]bool
	subjects map[string]bool // that were read
	all      bool            // the whole log was read
}

// has reports whether the log has the event. Only events of its tenant can have
// its id.
func (k *knownIDs) has(ctx context.Context, e schemas.Event) (bool, error) {
	subject := schemas.TenantSubjects(schemas.LogEvents, e.Route.Source, e.Route.Tenant)
	if !k.all && !k.subjects[subject] {
		if len(k.subjects) == importTenants {
			subject, k.all = schemas.LogEvents+".>", true
		}
		if err := k.read(ctx, subject, func(id string) { k.ids[hashID(id)] = true }); err != nil {
			return false, err
		}
		k.subjects[subject] = true
	}
	return k.ids[hashID(e.MsgID())], nil
}
