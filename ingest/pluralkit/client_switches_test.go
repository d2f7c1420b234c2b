package pluralkit

import (
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// collect takes a whole walk, which must not fail.
func collect(t *testing.T, walk iter.Seq2[Switch, error]) []Switch {
	t.Helper()
	var all []Switch
	for s, err := range walk {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// day is a moment of the past with all six digits.
func day(n int) time.Time { return time.Date(2025, 1, n, 0, 0, 0, 123456000, time.UTC) }

func days(n int) []time.Time {
	var all []time.Time
	for i := range n {
		all = append(all, day(1+i))
	}
	return all
}

const switchesRoute = "/systems/{ref}/switches"

func TestSwitches(t *testing.T) {
	for _, c := range []struct {
		name         string
		days, ties   int
		page         int
		switches     int
		warnings     int
		mostRequests int
	}{
		{"none", 0, 0, 100, 0, 0, 1},
		{"one", 1, 1, 100, 1, 0, 2},
		{"pairs cut by a page", 5, 2, 5, 10, 0, 6},
		{"pairs that fill pages", 6, 2, 4, 12, 0, 8},
		{"a page of one", 10, 1, 1, 10, 10, 22}, // every page is of one moment: no page can tell
		{"a page of one moment", 3, 4, 4, 12, 3, 10},
		{"more than a page of one moment", 3, 5, 4, 12, 3, 10},
		{"several pages", 28, 9, 100, 252, 0, 5},
		{"more ties than PluralKit lists", 2, 130, 100, 200, 2, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
				s.history(c.ties, days(c.days)...)
				s.Client.page = c.page
				seen := map[UUID]bool{}
				warnings := 0
				last := day(1000)
				for sw, err := range s.Switches(t.Context(), time.Time{}) {
					var ties *TiesError
					switch {
					case errors.As(err, &ties):
						if warnings++; !errors.Is(err, ErrTies) || !ties.At.Equal(last) || ties.N != c.page {
							t.Errorf("got %v, want ties at %v", err, last)
						}
						continue
					case err != nil:
						t.Fatal(err)
					case seen[sw.UUID] || sw.At.After(last) || sw.At.Nanosecond() != 123456000:
						t.Errorf("got %v after %v, seen before: %v", sw, last, seen[sw.UUID])
					}
					seen[sw.UUID], last = true, sw.At
				}
				n := s.api.Counts()[switchesRoute]
				if len(seen) != c.switches || warnings != c.warnings || n > c.mostRequests {
					t.Errorf("got %d switches, %d warnings, %d requests, want %d, %d, at most %d",
						len(seen), warnings, n, c.switches, c.warnings, c.mostRequests)
				}
			})
		})
	}
}

// TestSwitchesBefore: a walk begins strictly before the time given, to the
// nanosecond.
func TestSwitchesBefore(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		s.history(1, days(3)...)
		for _, c := range []struct {
			before time.Time
			want   int
		}{{day(2), 1}, {day(2).Add(1), 2}, {day(2).Add(time.Microsecond), 2}, {day(1), 0}} {
			if got := collect(t, s.Switches(t.Context(), c.before)); len(got) != c.want {
				t.Errorf("before %v: got %d, want %d", c.before, len(got), c.want)
			}
		}
	})
}

// TestSwitchesStop: who breaks off asks no more, and an error is the end.
func TestSwitchesStop(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		s.history(1, days(20)...)
		s.Client.page = 10
		for range s.Switches(t.Context(), time.Time{}) {
			break
		}
		if n := s.api.Counts()[switchesRoute]; n != 1 {
			t.Errorf("got %d requests, want 1", n)
		}
		s.api.Inject(fakepk.Fault{Kind: fakepk.FaultStatus, Status: 400, Route: switchesRoute, Skip: 1})
		n, errs := 0, 0
		for _, err := range s.Switches(t.Context(), time.Time{}) {
			if n++; err != nil {
				errs++
			}
		}
		if n != 11 || errs != 1 {
			t.Errorf("got %d things, %d errors, want 10 switches and the error", n, errs)
		}
	})
}

// TestSwitchesMoved: history that changes under the walk gives nothing twice.
func TestSwitchesMoved(t *testing.T) {
	var s *setting
	asked := 0
	moves := fakepk.APIConfig{Before: func(route string) {
		if asked++; route == switchesRoute && asked == 2 {
			newest := s.world.Truth(s.sys)
			for id, sw := range newest.Switches {
				if sw.Timestamp == day(20).Format(time.RFC3339Nano) {
					s.world.Must(s.sys.APIMoveSwitch(id, day(1).Add(-time.Hour)))
				}
			}
		}
	}}
	bubble(t, moves, func(t *testing.T, in *setting) {
		s = in
		s.history(1, days(20)...)
		s.Client.page = 10
		seen := map[UUID]bool{}
		for _, sw := range collect(t, s.Switches(t.Context(), time.Time{})) {
			if seen[sw.UUID] {
				t.Errorf("got %s twice", sw.UUID)
			}
			seen[sw.UUID] = true
		}
		if len(seen) != 20 || asked < 3 {
			t.Errorf("got %d in %d requests, want 20 in at least 3", len(seen), asked)
		}
	})
}

// TestSwitchesOrder: a page that is not what was asked for is refused; on its
// order depends where the walk goes on, and that it ends.
func TestSwitchesOrder(t *testing.T) {
	older := strings.ReplaceAll(exSwitch, "2025", "2024")
	for name, page := range map[string]string{"rising": older + "," + exSwitch, "after before": exSwitch} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "["+page+"]") })
		for _, err := range c.Switches(t.Context(), day(1)) {
			if !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("%s: got %v, want invalid", name, err)
			}
		}
	}
}

func TestTiesError(t *testing.T) {
	const want = "pluralkit: 100 switches or more at 2025-01-01T00:00:00.123456Z: those over 100 cannot be listed"
	if got := (&TiesError{day(1), 100}).Error(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
