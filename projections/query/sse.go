package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"switchlog/schemas"
)

// sseTimes are how a stream of changes keeps time.
type sseTimes struct {
	heartbeat time.Duration // between comments that keep the connection open
	write     time.Duration // for one write; a client that does not read for so long is let go
}

var defaultTimes = sseTimes{heartbeat: 15 * time.Second, write: 10 * time.Second}

const (
	// streamBuffer is how many changes wait for a client that is slower than
	// the log. Behind it nothing is lost: the log waits.
	streamBuffer = 64

	// retryAfter is when a client that lost the connection should come back.
	retryAfter = "retry: 1000\n"
)

// changes answers with the changes of a tenant as Server-Sent Events, until
// the client goes, is too slow, or we stop. The id of each is its sequence in
// the stream CHANGES; a client that shows its last one gets what came after
// it, none missing and none twice, and else what comes from now on.
func (h *handler) changes(w http.ResponseWriter, r *http.Request, reader Reader, source, tenant string) error {
	if err := allow(w, r, "GET"); err != nil {
		return err
	}
	lastID, resumes, err := lastEventID(r)
	if err != nil {
		return err
	}
	if err := h.known(r.Context(), source, tenant); err != nil {
		return err
	}
	if reader.Public && h.Public == nil {
		return errNotFound
	}
	if err := h.streams.take(reader.Name); err != nil {
		return err
	}
	defer h.streams.give(reader.Name)
	end, err := h.lastChange(r.Context())
	switch {
	case err != nil:
		h.Logger.Warn("stream of changes", "source", source, "err", err)
		return errUnavailable
	case !resumes:
		lastID = end
	case lastID > end:
		return fmt.Errorf("%w: last event id %d: there is no such change yet (hint: leave it out)", schemas.ErrInvalid, lastID)
	}
	h.metrics.streams.Inc()
	defer h.metrics.streams.Dec()

	ctx, cancel := context.WithCancel(r.Context())
	feed := newFeed(h.js, h.Logger, source, tenant, lastID+1)
	if reader.Public {
		feed.show = h.Public.PublicChange
	}
	var ended sync.WaitGroup
	ended.Go(func() {
		defer close(feed.out)
		if err := feed.run(ctx); err != nil && ctx.Err() == nil {
			h.Logger.Warn("stream of changes ends", "source", source, "err", err)
		}
	})
	defer ended.Wait()
	defer cancel()
	h.stream(ctx, newSSEWriter(w, h.sse.write), feed.out, lastID)
	return nil
}

// stream writes changes as they come, and a comment now and then. Any error
// of writing means that the client is gone; it knows how to come back.
func (h *handler) stream(ctx context.Context, to *sseWriter, changes <-chan change, lastID uint64) {
	// The first id is for a client that goes before the first change: it
	// resumes from here and misses nothing.
	if to.begin(lastID) != nil {
		return
	}
	heartbeat := time.NewTicker(h.sse.heartbeat)
	defer heartbeat.Stop()
	for {
		var err error
		select {
		case c, more := <-changes:
			if !more {
				return
			}
			if err = to.change(c); err == nil && len(changes) == 0 {
				err = to.flush()
			}
		case <-heartbeat.C:
			err = to.comment("heartbeat")
		case <-ctx.Done():
			return
		case <-h.Done:
			return
		}
		if err != nil {
			return
		}
	}
}

// lastEventID is where the client left off. The header is newer than the
// address, which a browser keeps when it comes back by itself.
func lastEventID(r *http.Request) (seq uint64, given bool, err error) {
	params, err := urlParams(r.URL.RawQuery)
	if err != nil {
		return 0, false, err
	}
	for name := range params {
		if name != "last_event_id" {
			return 0, false, fmt.Errorf("%w: unknown parameter %q", schemas.ErrInvalid, clip(name))
		}
	}
	text, given := params["last_event_id"]
	if header := r.Header.Values("Last-Event-ID"); len(header) > 0 {
		text, given = header[0], true
	}
	if !given {
		return 0, false, nil
	}
	if seq, err = parseSeq(text); err != nil {
		return 0, false, fmt.Errorf("last event id: %w", err)
	}
	return seq, true, nil
}

// lastChange is the last sequence of the stream CHANGES.
func (h *handler) lastChange(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	s, err := h.js.Stream(ctx, schemas.StreamChanges)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.LastSeq, nil
}

// sseWriter writes the format of Server-Sent Events.
type sseWriter struct {
	w     http.ResponseWriter
	conn  *http.ResponseController
	limit time.Duration // for one write
	buf   bytes.Buffer
}

func newSSEWriter(w http.ResponseWriter, limit time.Duration) *sseWriter {
	return &sseWriter{w: w, conn: http.NewResponseController(w), limit: limit}
}

func (s *sseWriter) begin(lastID uint64) error {
	head := s.w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s.w.WriteHeader(http.StatusOK)
	// A server's deadline for reading a request would end the stream.
	if err := s.conn.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	s.buf.WriteString(retryAfter)
	s.id(lastID)
	s.buf.WriteByte('\n')
	return errors.Join(s.write(), s.flush())
}

func (s *sseWriter) id(seq uint64) {
	s.buf.WriteString("id: ")
	s.buf.WriteString(strconv.FormatUint(seq, 10))
	s.buf.WriteByte('\n')
}

func (s *sseWriter) change(c change) error {
	s.id(c.seq)
	s.buf.WriteString("event: ")
	s.buf.WriteString(c.typ)
	s.buf.WriteByte('\n')
	// An event is one line as we write it; whatever is not, a client puts
	// together again.
	body := bytes.ReplaceAll(c.body, []byte("\r"), nil)
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		s.buf.WriteString("data: ")
		s.buf.Write(line)
		s.buf.WriteByte('\n')
	}
	s.buf.WriteByte('\n')
	return s.write()
}

func (s *sseWriter) comment(text string) error {
	s.buf.WriteString(": " + text + "\n\n")
	return errors.Join(s.write(), s.flush())
}

func (s *sseWriter) write() error {
	defer s.buf.Reset()
	if err := s.deadline(); err != nil {
		return err
	}
	_, err := s.w.Write(s.buf.Bytes())
	return err
}

func (s *sseWriter) flush() error {
	if err := s.deadline(); err != nil {
		return err
	}
	return s.conn.Flush()
}

func (s *sseWriter) deadline() error {
	err := s.conn.SetWriteDeadline(time.Now().Add(s.limit))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// shares gives out places, a few to each and so many in all.
type shares struct {
	most, each int

	mu    sync.Mutex // guards what follows
	all   int
	taken map[string]int // none is 0
}

func newShares(most, each int) *shares {
	return &shares{most: most, each: each, taken: map[string]int{}}
}

func (s *shares) take(who string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[who] >= s.each {
		return errTooMany
	}
	if s.all >= s.most {
		return errBusy
	}
	s.all++
	s.taken[who]++
	return nil
}

func (s *shares) give(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.taken[who]--; s.taken[who] == 0 {
		delete(s.taken, who)
	}
}
