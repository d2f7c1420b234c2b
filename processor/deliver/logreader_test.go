package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"switchlog/schemas"
)

// storedEvents is a log of seven events; each one of even sequence caused two
// changes.
type storedEvents struct {
	data  []byte // of each change
	asked []string
}

func (storedEvents) Span(_ context.Context, from, _ string) (uint64, uint64, error) {
	if from == "soon" {
		return 0, 0, schemas.ErrInvalid
	}
	return 2, 7, nil
}

func (l *storedEvents) Events(_ context.Context, first, last uint64, subject string, fn func(schemas.Recorded) error) error {
	l.asked = append(l.asked, subject)
	for seq := first; seq <= last; seq++ {
		e := schemas.Recorded{Event: schemas.Event{ID: fmt.Sprint("e", seq)}, Seq: seq}
		if seq == 5 {
			e.Fault = errors.New("no event")
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}

func (l *storedEvents) Changes(_ context.Context, first, last uint64, subject string, fn func(uint64, int, schemas.Event) error) error {
	l.asked = append(l.asked, subject)
	for seq := first; seq <= last; seq++ {
		for n := range 2 {
			if seq%2 != 0 {
				continue
			}
			if err := fn(seq, n, schemas.Event{ID: fmt.Sprint("c", seq, ".", n), Data: l.data}); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestLogReaderOrder: what a subscription would have been sent comes in the order
// of the log, each change right behind its cause, whether that is wanted or not;
// what is no event is left out.
func TestLogReaderOrder(t *testing.T) {
	sub := schemas.Subscription{Source: "pluralkit"}
	for wanted, want := range map[string]string{
		"ec": "e2/0 c2.0/1 c2.1/2 e3/0 e4/0 c4.0/1 c4.1/2 e6/0 c6.0/1 c6.1/2 e7/0",
		"c":  "c2.0/1 c2.1/2 c4.0/1 c4.1/2 c6.0/1 c6.1/2",
		"e":  "e2/0 e3/0 e4/0 e6/0 e7/0",
		"":   "",
	} {
		log := &storedEvents{}
		r := LogReader{Log: log, Matcher: func(schemas.Subscription) (func(context.Context, schemas.Event) (schemas.Event, bool, error), error) {
			return func(_ context.Context, e schemas.Event) (schemas.Event, bool, error) {
				return e, wanted != "" && strings.Contains(wanted, e.ID[:1]), nil
			}, nil
		}}
		var got []string
		err := r.Matching(t.Context(), sub, "1", "", func(_ uint64, n int, e schemas.Event) error {
			got = append(got, fmt.Sprint(e.ID, "/", n))
			return nil
		})
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: got %q, %v, want %q", wanted, got, err, want)
		}
		if want := []string{"log.changes.pluralkit.*.>", "log.events.pluralkit.*.>"}; !slices.Equal(log.asked, want) {
			t.Errorf("%q: asked for %q, want %q", wanted, log.asked, want)
		}
	}
}

// TestLogReaderEnds: an end that is none, changes of more than the limit, and an
// error of the caller's end the reading.
func TestLogReaderEnds(t *testing.T) {
	errEnough := errors.New("enough")
	all := func(schemas.Subscription) (func(context.Context, schemas.Event) (schemas.Event, bool, error), error) {
		return func(_ context.Context, e schemas.Event) (schemas.Event, bool, error) { return e, true, nil }, nil
	}
	for _, c := range []struct {
		from string
		data []byte
		want error
	}{
		{"soon", nil, schemas.ErrInvalid}, {"1", make([]byte, maxHeldChanges/5), schemas.ErrConflict}, {"1", nil, errEnough},
	} {
		n := 0
		err := LogReader{Log: &storedEvents{data: c.data}, Matcher: all}.Matching(t.Context(), schemas.Subscription{}, c.from, "", func(uint64, int, schemas.Event) error {
			n++
			return errEnough
		})
		if !errors.Is(err, c.want) || n > 1 {
			t.Errorf("from %s: got %v after %d, want %v", c.from, err, n, c.want)
		}
	}
}
