package pluralkit

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// pageSize is the most PluralKit gives at once.
const pageSize = 100

// A TiesError says that a whole page of history was of one moment. There may
// be more switches at that moment, which PluralKit has no way to list.
type TiesError struct {
	At time.Time
	N  int // switches of that moment that were listed
}

func (e *TiesError) Error() string {
	return fmt.Sprintf("pluralkit: %d switches or more at %s: those over %d cannot be listed",
		e.N, e.At.Format(timeFormat), e.N)
}

// Is makes every TiesError ErrTies.
func (e *TiesError) Is(target error) bool { return target == ErrTies }

// timeFormat has what PluralKit stores: microseconds, and Z for UTC.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// Switches walks through the history before a time, newest first; each switch
// once. The zero time is PluralKit's now. What lies in the future is not
// before now: give a time after it, or ask for Fronters as well.
//
// An error that is ErrTies is a warning: the walk goes on behind that moment.
// Any other is the last thing it gives. A switch that is moved while the walk
// is under way may be missed, or be given as it was. The walk keeps 16 bytes
// and their overhead for each switch it has given.
func (c *Client) Switches(ctx context.Context, before time.Time) iter.Seq2[Switch, error] {
	return func(yield func(Switch, error) bool) {
		w := walk{client: c, size: c.page, seen: map[[16]byte]struct{}{}}
		if !before.IsZero() {
			w.before = ceil(before)
		}
		for !w.over {
			page, err := w.next(ctx)
			if err != nil {
				yield(Switch{}, err)
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
			if w.ties != nil && !yield(Switch{}, w.ties) {
				return
			}
		}
	}
}

// ceil is the first whole microsecond that is not before t: nothing stored
// lies between the two.
func ceil(t time.Time) time.Time {
	return t.Add(time.Microsecond - 1).Truncate(time.Microsecond).UTC()
}

// A walk is on its way from newest to oldest. There may be several switches of
// one moment, and a page may end between them. So the next page begins a
// microsecond after the last switch of this one, and what comes twice is
// dropped. (PluralKit says before and means it: strictly.)
type walk struct {
	client *Client
	size   int
	before time.Time // zero: PluralKit's now
	seen   map[[16]byte]struct{}
	over   bool
	ties   error // of the page last read
}

// next reads a page and gives what is new in it.
func (w *walk) next(ctx context.Context) ([]Switch, error) {
	page, err := w.ask(ctx)
	if err != nil {
		return nil, err
	}
	w.ties = nil
	if len(page) == 0 {
		w.over = true
		return nil, nil
	}
	fresh := page[:0:0]
	for _, s := range page {
		if id := key(s.UUID); !w.has(id) {
			w.seen[id] = struct{}{}
			fresh = append(fresh, s)
		}
	}
	full := len(page) >= w.size
	w.over = len(fresh) == 0 && !full
	last := page[len(page)-1].At
	if before := last.Add(time.Microsecond); w.before.IsZero() || before.Before(w.before) {
		w.before = before
		return fresh, nil
	}
	// All of it is of the last moment before w.before. Step over it.
	w.before = last
	if full {
		w.ties = &TiesError{last, len(page)}
	}
	return fresh, nil
}

func (w *walk) ask(ctx context.Context) ([]Switch, error) {
	query := url.Values{"limit": {strconv.Itoa(w.size)}}
	if !w.before.IsZero() {
		query.Set("before", w.before.Format(timeFormat))
	}
	return get(ctx, w.client, routeSwitches, "/systems/@me/switches?"+query.Encode(), func(body []byte) ([]Switch, error) {
		page, err := decodeSwitches(body)
		if err != nil {
			return nil, err
		}
		return page, w.check(page)
	})
}

// check holds a page against what was asked for: on that the walk's end
// depends.
func (w *walk) check(page []Switch) error {
	for i, s := range page {
		if !w.before.IsZero() && !s.At.Before(w.before) || i > 0 && s.At.After(page[i-1].At) {
			return invalid("entry %d is newer than it can be", i)
		}
	}
	return nil
}

func (w *walk) has(id [16]byte) bool {
	_, ok := w.seen[id]
	return ok
}

// key is a uuid in the form that takes the least room.
func key(id UUID) (k [16]byte) {
	if _, err := hex.Decode(k[:], []byte(strings.ReplaceAll(string(id), "-", ""))); err != nil {
		panic("pluralkit: not a uuid: " + string(id)) // the decoder has checked it
	}
	return k
}
