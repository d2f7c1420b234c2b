package pluralkit

import (
	"context"
	"slices"
	"testing"
	"time"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// TestRefusedIsSaidOnce: what the fold does not take is said once, and again
// only when something else is held or PluralKit says something else; also after
// a restart. What it takes is said as often as it becomes different.
func TestRefusedIsSaidOnce(t *testing.T) {
	for name, refused := range map[string]string{"member": schemas.MemberObserved, "switch": schemas.SwitchObserved, "group": schemas.GroupObserved, "gone": schemas.MemberAbsent} {
		t.Run(name, func(t *testing.T) {
			reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
				ash, err := r.sys.CreateMember("Ash", nil)
				r.world.Must(err)
				_, err = r.sys.CreateGroup("Crew")
				r.world.Must(err)
				_, err = r.sys.Switch(ash)
				r.world.Must(err)
				if name == "gone" {
					r.look(Full)
					r.world.Must(r.sys.DeleteMember(ash))
				}
				refuse := func(e schemas.Event) bool { return e.Type == refused }
				r.book.aside = refuse
				said := func() int {
					return len(slices.DeleteFunc(slices.Clone(r.book.events), func(e schemas.Event) bool { return e.Type != refused }))
				}
				for look, depth := range []Depth{Full, Lists, Full, Lists, Full} {
					report := r.look(depth)
					if want := 1; said() != want {
						t.Fatalf("look %d: said %d times, want %d", look+1, said(), want)
					}
					if want := min(look, 1); report.Refused != want || look > 0 && report.Emitted != 0 {
						t.Errorf("look %d: got %d refused, %d emitted, want %d and, but for the first, 0", look+1, report.Refused, report.Emitted, want)
					}
				}

				aside := slices.Clone(r.book.events)
				slices.Reverse(aside)
				again := must[*Reconciler](t)(NewReconciler(ReconcilerConfig{System: r.sys.UUID(), Client: r.Client, Known: r.book, Append: r.book, Log: r.slog,
					SetAside: func(context.Context, int) ([]schemas.Event, error) {
						return slices.DeleteFunc(aside, func(e schemas.Event) bool { return !refuse(e) }), nil
					}}))
				if report := must[Report](t)(again.Reconcile(t.Context(), Full, false)); said() != 1 || report.Refused != 1 {
					t.Errorf("after a restart: said %d times, %d refused, want 1 and 1", said(), report.Refused)
				}

				r.book.aside = nil
				if name == "member" { // PluralKit says something else of it
					r.world.Must(r.sys.EditMember(ash, fakepk.Fields{"pronouns": "they/them"}))
					if r.look(Full); said() != 2 {
						t.Errorf("after a change: said %d times, want 2", said())
					}
					if again := r.look(Full); again.Emitted != 0 || again.Refused != 0 {
						t.Errorf("once it is taken: got %d emitted, %d refused, want 0", again.Emitted, again.Refused)
					}
				}
			})
		})
	}
}

// TestTakenIsSaidAgain: what the fold has taken, and what then became different
// and the same once more, is said each time.
func TestTakenIsSaidAgain(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		ash, err := r.sys.CreateMember("Ash", nil)
		r.world.Must(err)
		r.look(Full)
		held := r.book.entities["member"][ash+"/"]
		for n := range 3 { // a webhook says that it is gone, which is not so
			later(time.Minute)
			r.book.put("member", schemas.HeldEntity{ID: held.ID, Object: held.Object, Gone: true, TouchedUS: time.Now().UnixMicro()})
			later(time.Minute)
			if report := r.look(Full); report.Emitted != 1 || report.Refused != 0 {
				t.Errorf("time %d: got %d emitted, %d refused, want 1 and 0", n+1, report.Emitted, report.Refused)
			}
			if again := r.look(Full); again.Emitted != 0 || again.Refused != 0 {
				t.Errorf("time %d, once more: got %d emitted, %d refused, want 0", n+1, again.Emitted, again.Refused)
			}
		}
	})
}
