package projections

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"switchlog/schemas"
)

// TestLaw6MemoryMakesNoDifference: rows are the same whether tenants stay
// in memory or none does.
func TestLaw6MemoryMakesNoDifference(t *testing.T) {
	for name, history := range map[string]func(*rapid.T) []schemas.Recorded{"entities": entityHistory, "fronting": genFronting} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run := 0
			rapid.Check(t, func(rt *rapid.T) {
				run++
				events := number(history(rt))
				fold := func(limit int) map[string][]string {
					db, err := Open(Config{Path: filepath.Join(dir, fmt.Sprintf("%d-%d.db", run, limit))})
					if err != nil {
						rt.Fatal(err)
					}
					defer func() {
						if err := db.Close(); err != nil {
							rt.Fatal(err)
						}
					}()
					db.tx.State(pluralKitState).(*pluralKit).limit = limit
					if err := db.Apply(t.Context(), "epoch", events); err != nil {
						rt.Fatal(err)
					}
					return everyRow(rt, db)
				}
				if got, want := fold(0), fold(maxStateBytes); !same(got, want) {
					rt.Errorf("with nothing in memory:%s", difference(got, want))
				}
			})
		})
	}
}

// TestSettledRowsAreSeen: after Settle a statement of another fold sees what
// events before it in the batch made of a row, through a view, too.
func TestSettledRowsAreSeen(t *testing.T) {
	var seen []string
	plain := Projection{Name: "plain", Source: schemas.PluralKit, Version: 1, Handlers: Any(func(tx *Tx, e schemas.Recorded) error {
		if err := tx.Settle(); err != nil {
			return err
		}
		row, err := tx.Get(`SELECT name, pronouns FROM current_members WHERE uuid = ?`, e.Subject)
		if err != nil {
			return err
		}
		seen = append(seen, row.Text(0)+" "+row.Text(1))
		return nil
	})}
	db := openTemp(t, append(slices.Clone(All), plain)...)
	var events []schemas.Recorded
	for i, typ := range []string{"CREATE_MEMBER", "UPDATE_MEMBER", "UPDATE_MEMBER"} {
		events = append(events, frontingEvent(i+1, typ, "sys-a", "m-1", fmt.Sprintf(`{"name":"N%d","pronouns":"p%d"}`, i, i/2)))
	}
	applyFronting(t, db, events)
	if got, want := strings.Join(seen, ", "), "N0 p0, N1 p0, N2 p1"; got != want {
		t.Errorf("the fold saw: got %q, want %q", got, want)
	}
}

// TestUndoneStateIsForgotten: what an event did that is set aside, or a batch that
// failed, is not in memory.
func TestUndoneStateIsForgotten(t *testing.T) {
	fails := fmt.Errorf("%w: no more", schemas.ErrInvalid)
	var fault error
	last := Projection{Name: "last", Source: schemas.PluralKit, Version: 1, Handlers: Any(func(_ *Tx, e schemas.Recorded) error {
		if strings.Contains(string(e.Data), "Birch") {
			return fault
		}
		return nil
	})}
	for _, c := range []struct {
		name  string
		fault error
		want  string
	}{
		{"set aside", fails, "Alder|they/them\n"},
		{"stopped", fmt.Errorf("disk full"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			fault = c.fault
			db := openTemp(t, append(slices.Clone(All), last)...)
			events := []schemas.Recorded{
				frontingEvent(1, "CREATE_MEMBER", "sys-a", "m-1", `{"name":"Alder"}`),
				frontingEvent(2, "UPDATE_MEMBER", "sys-a", "m-1", `{"name":"Birch"}`),
				frontingEvent(3, "UPDATE_MEMBER", "sys-a", "m-1", `{"pronouns":"they/them"}`),
			}
			for i := range events {
				events[i].Seq = uint64(i + 1)
			}
			err := db.Apply(t.Context(), "test", events)
			if (err != nil) != (c.want == "") {
				t.Fatal(err)
			}
			if got := selectRows(t, db, `SELECT name, pronouns FROM members`); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			fault = nil
			if c.want != "" {
				return
			}
			applyFronting(t, db, events)
			if got, want := selectRows(t, db, `SELECT name, pronouns FROM members`), "Birch|they/them\n"; got != want {
				t.Errorf("again: got %q, want %q", got, want)
			}
		})
	}
}

// FuzzTagsAreNormal: lists that are said to be normal are not changed by
// being normalised.
func FuzzTagsAreNormal(f *testing.F) {
	for _, list := range []string{`[]`, `[{"prefix":"a:","suffix":null}]`, `[{"prefix":"a","suffix":"b"},{"prefix":null,"suffix":"-c"}]`,
		`[{"suffix":"a","prefix":"b"}]`, `[{"prefix":"\"","suffix":"é"}]`, `[{"prefix":"a","suffix":"b","x":1}]`, `[1]`, `[{}]`, `[{"prefix":1,"suffix":2}]`} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		fields := []schemas.Field{{Name: "proxy_tags", Kind: schemas.List}}
		values, err := schemas.DecodeFields("t", []byte(`{"proxy_tags":`+list+`}`), fields)
		if err != nil || len(values) == 0 || !tagsAreNormal(values[0].Value.(string)) {
			return
		}
		text := values[0].Value.(string)
		tags, err := parseTags(text)
		if err != nil {
			t.Fatalf("%s is said to be normal: %v", text, err)
		}
		if got := writeTags(tags); got != text {
			t.Fatalf("got %s, want %s", text, got)
		}
	})
}
