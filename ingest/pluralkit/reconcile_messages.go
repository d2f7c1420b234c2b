package pluralkit

import (
	"encoding/json"

	"switchlog/schemas"
)

// A tally is what is known of a member's messages.
type tally struct {
	at    int64 // what the counter was at the last look
	heard int64 // messages that webhooks have told of since
}

// messaged counts a message that was told of. mu is held.
func (r *Reconciler) messaged(e schemas.Recorded, w *wanted) {
	var m struct {
		Member *struct {
			UUID string `json:"uuid"`
		} `json:"member"`
	}
	if json.Unmarshal(e.Data, &m) != nil || m.Member == nil {
		return
	}
	if c, known := r.counts[m.Member.UUID]; known {
		c.heard++
		r.counts[m.Member.UUID] = c
	}
	w.members = r.unknown(m.Member.UUID)
}

// countMessages holds the counters of members against the messages that were
// told of since the last look. A message cannot be listed, so one whose
// webhook was lost can only be noticed.
func (r *Reconciler) countMessages(list []Member, report *Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := make(map[string]tally, len(list))
	for _, m := range list {
		var n int64
		if json.Unmarshal(m.JSON["message_count"], &n) != nil {
			continue
		}
		if c, known := r.counts[string(m.UUID)]; known {
			report.Unheard += max(n-c.at-c.heard, 0)
		}
		counts[string(m.UUID)] = tally{at: n}
	}
	if !report.DryRun {
		r.counts = counts
	}
}
