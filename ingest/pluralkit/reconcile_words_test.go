package pluralkit

import (
	"slices"
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// TestLate: how old what was missing was; what was there before us is not late.
func TestLate(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		r.lived()
		r.book.put("account", held(account))
		if first := r.look(Lists); first.Late.Count != 0 || first.Total().Missing == 0 {
			t.Errorf("the first look: got %+v, want nothing late", first.Late)
		}
		for _, wait := range []time.Duration{2 * time.Hour, time.Hour, 10 * time.Minute} {
			_, err := r.sys.CreateMember("Fern "+wait.String(), nil)
			r.world.Must(err)
			later(wait)
		}
		dry := must[Report](t)(r.Reconcile(t.Context(), Lists, true))
		report := r.look(Lists)
		want := Late{3, 3*time.Hour + 10*time.Minute, time.Hour + 10*time.Minute}
		got := Late{report.Late.Count, report.Late.Oldest.Truncate(time.Minute), report.Late.Median.Truncate(time.Minute)}
		if got != want || dry.Late.Count != 3 || report.Requests < 6 || report.Requests != dry.Requests {
			t.Errorf("got %+v, want %+v; requests %d and %d", got, want, dry.Requests, report.Requests)
		}
		r.converged(Lists)
	})
}

// TestProgress: a look tells how far it is, step by step.
func TestProgress(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		r.lived()
		r.book.put("account", held(account))
		later(time.Minute)
		var steps []Step
		last := map[Step]Progress{}
		must[Report](t)(r.ReconcileTelling(t.Context(), Full, false, func(p Progress) {
			if !slices.Contains(steps, p.Step) {
				steps = append(steps, p.Step)
			}
			if p.Done <= last[p.Step].Done || p.Total != 0 && p.Done > p.Total {
				t.Errorf("got %+v after %+v", p, last[p.Step])
			}
			last[p.Step] = p
		}))
		if want := []Step{StepLists, StepHistory, StepServers}; !slices.Equal(steps, want) {
			t.Errorf("got steps %q, want %q", steps, want)
		}
		for step, p := range last {
			if p.Total != 0 && p.Done != p.Total {
				t.Errorf("%s: ended at %d of %d", step, p.Done, p.Total)
			}
		}
	})
}

// TestReportInWords: what a person reads.
func TestReportInWords(t *testing.T) {
	r := Report{System: "7f3c1a52", Took: 1500 * time.Millisecond, State: StateOK, Requests: 14, Heard: 6,
		Repairs: map[string]Repair{"switch": {Missing: 2, Unsaid: 1}, "member": {Missing: 1, Wrong: 1}, "member_guild": {Extra: 2}, "settings": {Wrong: 1}},
		Late:    Late{3, 51 * time.Hour, 95 * time.Second}, Unheard: 4, Disputed: 1, Refused: 2, Unlistable: 2, Deferred: []string{"members"}}
	const left = `  messages: about 4 were not announced, and cannot be asked for
  1 thing announced as deleted, but PluralKit still has it: left as deleted
  2 things: what PluralKit says cannot be taken, and is not said again (hint: the table skipped has the reasons)
  at 2 moments there are more switches than PluralKit lists
  to be looked at again: members
`
	const did = `7f3c1a52: looked at in 1.5 s with 14 requests to PluralKit; state ok
  was missing, and is added: 1 member, 2 switches
  was wrong, and is put right: 1 member, 1 settings
  is gone from PluralKit, and is marked so: 2 member guilds
  is completed with what no webhook tells: 1 switch
  of 3 things it is known how late: the oldest 2 d 3 h, half of them 1 min 35 s or more
  webhooks brought 6 events, 46 % of what changed
` + left
	const would = `7f3c1a52: only looked at, so that nothing is put right, in 1.5 s with 14 requests to PluralKit; state ok
  is missing, and would be added: 1 member, 2 switches
  is wrong, and would be put right: 1 member, 1 settings
  is gone from PluralKit, and would be marked so: 2 member guilds
  would be completed with what no webhook tells: 1 switch
  of 3 things it is known how late: the oldest 2 d 3 h, half of them 1 min 35 s or more
  webhooks brought 6 events, 46 % of what changed
` + left
	if got := r.String(); got != did {
		t.Errorf("got\n%swant\n%s", got, did)
	}
	r.DryRun = true
	if got := r.String(); got != would {
		t.Errorf("dry: got\n%swant\n%s", got, would)
	}
	const nothing = `7f3c1a52: looked at in 0.0 s with 1 request to PluralKit; state webhook_elsewhere
  nothing was different
  webhooks brought nothing, and nothing had changed
`
	if got := (Report{System: "7f3c1a52", State: StateElsewhere, Requests: 1}).String(); got != nothing {
		t.Errorf("got\n%swant\n%s", got, nothing)
	}
}
