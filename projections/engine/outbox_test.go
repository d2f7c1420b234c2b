package engine

import (
	"slices"
	"strings"
	"testing"

	"switchlog/schemas"
)

// Law 10: entries are given out by count and by bytes; one that is larger than
// all comes alone.
func TestDueIsBounded(t *testing.T) {
	db := openTemp(t)
	big := strings.Repeat("x", dueBytes/2)
	var batch []schemas.Recorded
	for i, name := range []string{"a", big, "b", big + big} {
		batch = append(batch, thing(i+1, tenantA, "update", "00000000-0000-4000-8000-00000000000"+string(rune('0'+i)), name))
	}
	if err := db.Apply(t.Context(), "epoch", batch); err != nil {
		t.Fatal(err)
	}
	var got []int
	for {
		due, err := db.Due(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(due) == 0 {
			break
		}
		got = append(got, len(due))
		last := due[len(due)-1]
		if err := db.Sent(t.Context(), last.Seq, last.N); err != nil {
			t.Fatal(err)
		}
	}
	// Each event makes two entries: the change, and who fronts.
	if want := []int{3, 3, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("got %d entries at a time, want %d", got, want)
	}
}
