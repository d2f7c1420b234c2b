package pluralkit

import "github.com/prometheus/client_golang/prometheus"

// ReconcilerMetrics count for all reconcilers that share them. Label values
// are our own: states, nouns of our event types, kinds of findings.
type ReconcilerMetrics struct {
	state   *prometheus.GaugeVec
	looks   *prometheus.CounterVec
	repairs *prometheus.CounterVec
	heard   prometheus.Counter
	unheard prometheus.Counter
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
		heard: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_pluralkit_heard_total", Help: "Events that webhooks brought, as reconciliation counted them.",
		}),
		unheard: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_pluralkit_unheard_messages_total",
			Help: "By how much PluralKit's message counters were ahead of those held.",
		}),
	}
	for _, s := range States {
		m.state.WithLabelValues(string(s))
	}
	if r != nil {
		r.MustRegister(m.state, m.looks, m.repairs, m.heard, m.unheard)
	}
	return m
}

func (m *ReconcilerMetrics) moved(from, to State) {
	if from != "" {
		m.state.WithLabelValues(string(from)).Dec()
	}
	m.state.WithLabelValues(string(to)).Inc()
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
	for noun, p := range r.Repairs {
		for kind, n := range map[finding]int{missing: p.Missing, wrong: p.Wrong, extra: p.Extra, unsaid: p.Unsaid} {
			if n > 0 {
				m.repairs.WithLabelValues(noun, string(kind)).Add(float64(n))
			}
		}
	}
}
