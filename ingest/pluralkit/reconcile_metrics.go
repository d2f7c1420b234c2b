package pluralkit

import "github.com/prometheus/client_golang/prometheus"

// ReconcilerMetrics count for all reconcilers that share them. Label values
// are our own: states, nouns of our event types, kinds of findings.
type ReconcilerMetrics struct {
	state   *prometheus.GaugeVec
	looks   *prometheus.CounterVec
	repairs *prometheus.CounterVec
	past    *prometheus.CounterVec
	heard   prometheus.Counter
	unheard prometheus.Counter

	triggers *prometheus.CounterVec
	late     prometheus.Histogram
	left     *prometheus.CounterVec
	said     *prometheus.CounterVec
}

// NewReconcilerMetrics registers with r; nil: nowhere.
func NewReconcilerMetrics(r prometheus.Registerer) *ReconcilerMetrics {
	m := &ReconcilerMetrics{
		state: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "switchlog_pluralkit_state", Help: "Systems by how they stand with PluralKit.",
		}, []string{"state"}),
		looks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_pluralkit_looks_total", Help: "Reconciliations by how they ended.",
		}, []string{"outcome"}),
		repairs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_pluralkit_repairs_total",
			Help: "What reconciliation found to be different from what webhooks had told, by noun and kind.",
		}, []string{"noun", "kind"}),
		past: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_pluralkit_backfilled_total", Help: "What the first look at a system found, by noun: nobody had missed it.",
		}, []string{"noun"}),
		heard: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_pluralkit_heard_total", Help: "Events that webhooks brought, as reconciliation counted them.",
		}),
		unheard: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_pluralkit_unheard_messages_total",
			Help: "By how much PluralKit's message counters were ahead of those held.",
		}),
		triggers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_pluralkit_triggers_total", Help: "Times that something asked for a look before it was time, by reason.",
		}, []string{"reason"}),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "switchlog_pluralkit_late_seconds",
			Help:    "How old what was missing was when it was found, where PluralKit says when it came to be.",
			Buckets: []float64{10, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600, 30 * 24 * 3600, 365 * 24 * 3600},
		}),
		left: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_pluralkit_unrepaired_total",
			Help: "What looks found to be different and left as it is, by why: disputed, refused, unlistable, deferred.",
		}, []string{"why"}),
		said: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_pluralkit_transitions_total", Help: "Times that a source was found in another state than before, by the new one.",
		}, []string{"state"}),
	}
	for _, s := range States {
		m.state.WithLabelValues(string(s))
		m.said.WithLabelValues(string(s))
	}
	for _, reason := range Reasons {
		m.triggers.WithLabelValues(string(reason))
	}
	if r != nil {
		r.MustRegister(m.state, m.looks, m.repairs, m.past, m.heard, m.unheard, m.triggers, m.late, m.left, m.said)
	}
	return m
}

func (m *ReconcilerMetrics) moved(from, to State) {
	if from != "" {
		m.state.WithLabelValues(string(from)).Dec()
	}
	m.state.WithLabelValues(string(to)).Inc()
	m.said.WithLabelValues(string(to)).Inc()
}

func (m *ReconcilerMetrics) looked(r Report, err error) {
	if r.DryRun {
		return
	}
	outcome := outcomeOK
	if err != nil {
		outcome = outcomeFailed
	}
	m.looks.WithLabelValues(outcome).Inc()
	m.heard.Add(float64(r.Heard))
	m.unheard.Add(float64(r.Unheard))
	for _, age := range r.late.all {
		m.late.Observe(age.Seconds())
	}
	for why, n := range map[string]int{"disputed": r.Disputed, "refused": r.Refused, "unlistable": r.Unlistable, "deferred": len(r.Deferred)} {
		m.left.WithLabelValues(why).Add(float64(n))
	}
	for noun, p := range r.Repairs {
		if r.First {
			m.past.WithLabelValues(noun).Add(float64(p.Missing + p.Wrong + p.Extra + p.Unsaid))
			continue
		}
		for kind, n := range map[finding]int{missing: p.Missing, wrong: p.Wrong, extra: p.Extra, unsaid: p.Unsaid} {
			if n > 0 {
				m.repairs.WithLabelValues(noun, string(kind)).Add(float64(n))
			}
		}
	}
}
