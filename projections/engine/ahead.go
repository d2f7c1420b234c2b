package engine

import (
	"sync/atomic"

	"switchlog/schemas"
)

// A handler's Decode depends on nothing but the event. So of a large batch the
// events are decoded on another goroutine, while those before them are folded.

// handlers finds the handlers of an event.
type handlers struct {
	byType map[string]map[string][]Handler // by source and type
	any    map[string][]Handler            // by source, for types that byType has not
}

// newHandlers gathers the handlers, in the order of the projections.
func newHandlers(all []Projection) handlers {
	h := handlers{byType: map[string]map[string][]Handler{}, any: map[string][]Handler{}}
	for _, p := range all {
		if h.byType[p.Source] == nil {
			h.byType[p.Source] = map[string][]Handler{}
		}
		for typ := range p.Handlers {
			if typ != "" {
				h.byType[p.Source][typ] = nil
			}
		}
	}
	for _, p := range all {
		every, has := p.Handlers[""]
		if has {
			h.any[p.Source] = append(h.any[p.Source], every)
		}
		for typ, list := range h.byType[p.Source] {
			if own, is := p.Handlers[typ]; is {
				list = append(list, own)
			}
			if has {
				list = append(list, every)
			}
			h.byType[p.Source][typ] = list
		}
	}
	return h
}

func (h handlers) of(e schemas.Recorded) []Handler {
	if e.Fault != nil {
		return nil
	}
	if list, known := h.byType[e.Route.Source][e.Type]; known {
		return list
	}
	return h.any[e.Route.Source]
}

// decoded is what the handlers' Decode functions gave for an event.
type decoded struct {
	handlers []Handler
	first    any   // of the first handler
	more     []any // of the others; mostly there are none
	err      error
}

func (h handlers) decode(e schemas.Recorded) decoded {
	d := decoded{handlers: h.of(e)}
	for i, handler := range d.handlers {
		var data any
		if handler.Decode != nil {
			if data, d.err = handler.Decode(e); d.err != nil {
				return d
			}
		}
		if i == 0 {
			d.first = data
		} else {
			d.more = append(d.more, data)
		}
	}
	return d
}

func (d decoded) of(i int) any {
	if i == 0 {
		return d.first
	}
	return d.more[i-1]
}

// aheadChunk is how many events are decoded between two signals, and the
// smallest batch of which some are decoded ahead.
const aheadChunk = 64

// A decoding is a batch that is decoded ahead.
type decoding struct {
	results []decoded
	chunks  chan struct{} // one for each chunk that is done; closed when all are
	known   int           // events whose chunk is done
	stop    atomic.Bool
}

// decodeAhead begins to decode a batch. The caller ends it with close.
func (h handlers) decodeAhead(batch []schemas.Recorded) *decoding {
	d := &decoding{results: make([]decoded, len(batch)), chunks: make(chan struct{}, len(batch)/aheadChunk+1)}
	go func() {
		defer close(d.chunks)
		for i, e := range batch {
			if d.stop.Load() {
				return
			}
			d.results[i] = h.decode(e)
			if i%aheadChunk == aheadChunk-1 {
				d.chunks <- struct{}{}
			}
		}
	}()
	return d
}

// take waits for event i and gives what was decoded. Each can be taken once.
func (d *decoding) take(i int) decoded {
	for i >= d.known {
		if _, more := <-d.chunks; !more {
			d.known = len(d.results)
			break
		}
		d.known += aheadChunk
	}
	result := d.results[i]
	d.results[i] = decoded{}
	return result
}

// close ends the decoding and waits for its goroutine.
func (d *decoding) close() {
	d.stop.Store(true)
	for range d.chunks {
	}
}
