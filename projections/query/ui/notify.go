package ui

import "sync"

// watchers are the open streams, by the system they show.
type watchers struct {
	max int

	mu  sync.Mutex // guards what follows
	n   int
	all map[string]map[chan struct{}]bool
}

// watch gives a channel that has a value after something of the system
// changed, or false if too many watch. Several changes may be one value. The caller
// ends it by unwatch.
func (w *watchers) watch(system string) (chan struct{}, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n >= w.max {
		return nil, false
	}
	w.n++
	if w.all[system] == nil {
		w.all[system] = map[chan struct{}]bool{}
	}
	c := make(chan struct{}, 1)
	w.all[system][c] = true
	return c, true
}

func (w *watchers) unwatch(system string, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n--
	delete(w.all[system], c)
	if len(w.all[system]) == 0 {
		delete(w.all, system)
	}
}

// ReadersChanged makes the open pages look whether their readers may still see
// them.
func (h *Handler) ReadersChanged() {
	h.watchers.mu.Lock()
	defer h.watchers.mu.Unlock()
	for _, open := range h.watchers.all {
		wake(open)
	}
}

// Changed tells the open pages of a system that its rows may have changed. It
// does not wait for them.
func (h *Handler) Changed(system string) {
	h.watchers.mu.Lock()
	defer h.watchers.mu.Unlock()
	wake(h.watchers.all[system])
}

func wake(open map[chan struct{}]bool) {
	for c := range open {
		select {
		case c <- struct{}{}:
		default: // it will look anyway
		}
	}
}
