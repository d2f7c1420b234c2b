package ui

import (
	"bytes"
	"errors"
	"net/http"
	"time"
)

const (
	// writeWithin bounds a write to a stream: a browser that does not read for so
	// long is let go.
	writeWithin = 10 * time.Second

	// gatherFor is how long changes are waited for that come together.
	gatherFor = 150 * time.Millisecond
)

// frontStream sends the front's part of the page whenever it may have become
// different. Each message is all there is to show, so a browser that was away
// has missed nothing once it has the next one.
func (h *Handler) frontStream(v *visit) error {
	system, err := h.choose(v, "front", "Who is fronting")
	if err != nil {
		return err
	}
	return h.stream(v, system, func() (string, error) {
		d, err := h.frontData(v.r.Context(), &v.view, system)
		if err != nil {
			return "", err
		}
		v.view.Data = d
		var b bytes.Buffer
		err = h.pages.all["front"].ExecuteTemplate(&b, "front-live", &v.view)
		return b.String(), err
	})
}

// stream sends what make gives at once, and again after each change of the
// system, until the browser goes, its reader may not see it any more, or we stop.
func (h *Handler) stream(v *visit, system string, make func() (string, error)) error {
	if v.again == nil {
		v.again = func() bool { _, _, ok := h.who(v.r); return ok }
	}
	changed, ok := h.watchers.watch(system)
	if !ok {
		v.w.Header().Set("Retry-After", "30")
		http.Error(v.w, "too many pages are open", http.StatusServiceUnavailable)
		return nil
	}
	defer h.watchers.unwatch(system, changed)
	text, err := make()
	if err != nil {
		return err
	}
	out := beginStream(v.w)
	if out.message(text) != nil {
		return nil
	}
	heartbeat := time.NewTicker(h.Heartbeat)
	defer heartbeat.Stop()
	gathered := time.NewTimer(0)
	gathered.Stop()
	for {
		select {
		case <-changed:
			gathered.Reset(gatherFor)
			continue
		case <-gathered.C:
			if !v.again() {
				_ = out.bye()
				return nil
			}
			if text, err = make(); err == nil {
				err = out.message(text)
			} else if v.r.Context().Err() == nil {
				h.Logger.Error("dashboard", "path", v.r.URL.Path, "err", err)
			}
		case <-heartbeat.C:
			if !v.again() {
				_ = out.bye()
				return nil
			}
			err = out.write(": heartbeat\n\n")
		case <-v.r.Context().Done():
			return nil
		case <-h.Done:
			return nil
		}
		if err != nil {
			return nil // the browser is gone, or comes back
		}
	}
}

// endStream answers a stream of somebody who is not signed in: a page says so
// and asks no more; a program gets 401.
func (h *Handler) endStream(v *visit) {
	if v.r.Header.Get("HX-Request") == "" {
		v.w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(v.w, "a reader's token is wanted", http.StatusUnauthorized)
		return
	}
	_ = beginStream(v.w).bye()
}

// sse writes Server-Sent Events.
type sse struct {
	w    http.ResponseWriter
	conn *http.ResponseController
}

func beginStream(w http.ResponseWriter) sse {
	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("X-Accel-Buffering", "no") // nginx would keep events back
	w.WriteHeader(http.StatusOK)
	return sse{w, http.NewResponseController(w)}
}

// message sends HTML that replaces what the page shows.
func (s sse) message(html string) error {
	var b bytes.Buffer
	for line := range bytes.SplitSeq(bytes.ReplaceAll([]byte(html), []byte("\r"), nil), []byte("\n")) {
		b.WriteString("data: ")
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return s.write(b.String())
}

// bye says that the person is signed out, and that asking again is in vain.
func (s sse) bye() error {
	err := s.message(`<p class="lead">You are signed out. <a href="/ui/sign-in">Sign in again</a></p>`)
	return errors.Join(err, s.write("event: bye\ndata: {}\n\n"))
}

func (s sse) write(text string) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.conn.Flush()
}
