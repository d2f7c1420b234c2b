package projections

import (
	"maps"
	"sync/atomic"

	"switchlog/schemas"
)

// What a fold reads of an event's data depends on nothing else, so it need not
// wait for its turn: while one event is folded, another processor reads those
// that come after it.

// A Decoder reads an event's data before its turn. It is pure, and may be run for
// events of any source.
type Decoder func(e schemas.Recorded) any

func decoders(all []Projection) map[string]Decoder {
	byType := make(map[string]Decoder)
	for _, p := range all {
		maps.Copy(byType, p.Ahead)
	}
	return byType
}

// result is what a Decoder gives.
type result[T any] struct {
	value T
	err   error
}

// inAdvance makes a Decoder of a function that reads data.
func inAdvance[T any](read func(schemas.Recorded) (T, error)) Decoder {
	return func(e schemas.Recorded) any {
		v, err := read(e)
		return result[T]{v, err}
	}
}

// data is what read says of the event that is folded; perhaps it was read in
// advance.
func data[T any](tx *Tx, e schemas.Recorded, read func(schemas.Recorded) (T, error)) (T, error) {
	if r, is := tx.ahead.(result[T]); is {
		return r.value, r.err
	}
	return read(e)
}

// aheadChunk is how many events are read between two signals, and the smallest
// batch of which some are read in advance.
const aheadChunk = 64

// reading is a batch that is read in advance.
type reading struct {
	results []any
	chunks  chan struct{} // one for each chunk that is done; closed when reading is over
	known   int           // events whose chunk is done
	stop    atomic.Bool
}

// decodeAhead begins to read a batch. The caller ends it with close.
func (d *DB) decodeAhead(batch []schemas.Recorded) *reading {
	r := &reading{results: make([]any, len(batch)), chunks: make(chan struct{}, len(batch)/aheadChunk+1)}
	go func() {
		defer close(r.chunks)
		for i, e := range batch {
			if r.stop.Load() {
				return
			}
			if decode := d.decoders[e.Type]; decode != nil && e.Fault == nil {
				r.results[i] = decode(e)
			}
			if i%aheadChunk == aheadChunk-1 {
				r.chunks <- struct{}{}
			}
		}
	}()
	return r
}

// take is what was read of event i, waiting for it. Each can be taken once.
func (r *reading) take(i int) any {
	for i >= r.known {
		if _, more := <-r.chunks; !more {
			r.known = len(r.results)
			break
		}
		r.known += aheadChunk
	}
	v := r.results[i]
	r.results[i] = nil
	return v
}

// close ends the reading and waits for that.
func (r *reading) close() {
	r.stop.Store(true)
	for range r.chunks {
	}
}
