package pluralkit

import (
	"fmt"
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// TestLargestSystem: all that PluralKit allows is taken over without running
// into its limits, and looking again costs next to nothing. (The world fails
// the test at the fourth refusal.)
func TestLargestSystem(t *testing.T) {
	members, groups, switches := 1000, 250, 10_000
	if testing.Short() {
		members, groups, switches = 100, 25, 1000
	}
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		var file fakepk.File
		for i := range members {
			file.Members = append(file.Members, fakepk.FileMember{ID: fmt.Sprint("m", i), Fields: fakepk.Fields{"name": fmt.Sprint("Member ", i)}})
		}
		for i := range groups {
			file.Groups = append(file.Groups, fakepk.FileGroup{ID: fmt.Sprint("g", i), Fields: fakepk.Fields{"name": fmt.Sprint("Group ", i)},
				Members: []string{fmt.Sprint("m", i), fmt.Sprint("m", (i+7)%members)}})
		}
		at := time.Now().Add(-time.Hour)
		for i := range switches {
			front := []string{fmt.Sprint("m", i%members)}
			if i%10 == 0 { // in order, which no list promises
				front = append(front, fmt.Sprint("m", (i+3)%members))
			}
			file.Switches = append(file.Switches, fakepk.FileSwitch{Timestamp: at.Add(-time.Duration(i) * time.Minute), Members: front})
		}
		r.world.Must(r.sys.Import(file, false))
		r.book.put("account", held(account))
		began := time.Now()
		report := r.look(Full)
		if want := 2 + members + groups + switches; report.Emitted != want || len(report.Deferred) != 0 {
			t.Errorf("got %s, want %d events", report, want)
		}
		requests := sum(r.api.Counts())
		t.Logf("%d requests, %v", requests, time.Since(began))
		if most := 10 + switches/99 + switches/10; requests > most || time.Since(began) > time.Duration(most)*time.Second/4 {
			t.Errorf("got %d requests in %v, want at most %d", requests, time.Since(began), most)
		}
		for _, line := range r.wrong() {
			t.Error(line)
		}
		if again := r.look(Lists); again.Emitted != 0 || sum(r.api.Counts())-requests > 6 {
			t.Errorf("a second look: got %s in %d requests, want nothing in 6", again, sum(r.api.Counts())-requests)
		}
	})
}
