package pluralkit

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/test/fakepk"
)

// TestReconcilerMetrics: what is found is counted by noun and kind, what the
// first look finds apart from it; and so are transitions, triggers and what is
// left. A dry run counts nothing.
func TestReconcilerMetrics(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		registry := prometheus.NewRegistry()
		r.c.Metrics = NewReconcilerMetrics(registry)
		m := r.lived()
		r.look(Lists)
		first := measured(t, registry)
		for name := range first {
			if strings.Contains(name, "repairs_total") || strings.Contains(name, "late") {
				t.Errorf("the first look: got %s", name)
			}
		}
		if first["backfilled_total member"] == 0 || first["transitions_total ok"] != 1 {
			t.Errorf("the first look: got %v", first)
		}
		r.world.Must(r.sys.EditMember(m[0], fakepk.Fields{"name": "Bramble"}))
		r.world.Must(r.sys.DeleteMember(m[1]))
		_, err := r.sys.CreateMember("Fern", nil)
		r.world.Must(err)
		r.world.Must(r.sys.ClearWebhook())
		r.c.Ours = func(string) bool { return true }
		later(time.Hour)
		must[Report](t)(r.Reconcile(t.Context(), Lists, true))
		dry := measured(t, registry)
		dry["transitions_total webhook_elsewhere"], dry["state webhook_elsewhere"], dry["state ok"] = 0, 0, 1 // a dry run learns that, too
		maps.DeleteFunc(dry, func(_ string, n float64) bool { return n == 0 })
		if !maps.Equal(dry, first) {
			t.Errorf("a dry run: got %v, want %v", dry, first)
		}
		r.look(Lists)
		r.Trigger(ReasonFull)
		got := measured(t, registry)
		for name, want := range map[string]float64{
			"repairs_total wrong member": 1, "repairs_total extra member": 1, "repairs_total missing member": 1, "late_seconds": 1,
			"transitions_total webhook_elsewhere": 1, "state webhook_elsewhere": 1, "triggers_total full": 1, "looks_total ok": 2,
		} {
			if got[name] != want {
				t.Errorf("%s: got %v, want %v, in %v", name, got[name], want, got)
			}
		}
	})
}

// measured is what the registry has that is not zero: the name less its
// beginning, and the values of labels.
func measured(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "switchlog_pluralkit_")
			for _, l := range m.GetLabel() {
				name += fmt.Sprint(" ", l.GetValue())
			}
			n := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if n != 0 {
				got[name] = n
			}
		}
	}
	return got
}
