package pluralkit

import (
	"testing"
	"time"
)

// TestQuick: a system without a webhook is asked about quickly while something
// changes, and slower the longer nothing does, up to a bound.
func TestQuick(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := &Reconciler{c: ReconcilerConfig{Every: 15 * time.Minute, Quick: time.Minute}}
	for _, c := range []struct{ quiet, want time.Duration }{
		{0, time.Minute}, {20 * time.Minute, time.Minute}, {time.Hour, 2 * time.Minute}, {2 * time.Hour, 4 * time.Minute},
		{8 * time.Hour, SlowestTimes * time.Minute},
	} {
		r.changed(now.Add(-c.quiet))
		if got := r.every(now); got != c.want {
			t.Errorf("%s after a change: got %s, want %s", c.quiet, got, c.want)
		}
	}
	r.plan.changed = time.Time{}
	if got := r.every(now); got != time.Minute {
		t.Errorf("at the start: got %s, want a minute", got)
	}
	r.c.Quick = 0
	if got := r.every(now); got != 15*time.Minute {
		t.Errorf("with webhooks: got %s, want Every", got)
	}
}
