package schemas

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

// sourceExamples are a source that gets no webhooks, and gets them again.
func sourceExamples(t *testing.T, n int) []example {
	t.Helper()
	var all []example
	var before json.RawMessage
	for i, s := range []struct {
		variant string
		state   SourceState
	}{{"linked", SourceOK}, {"elsewhere", SourceElsewhere}, {"resumed", SourceOK}} {
		asked := exampleTime(n + 2*i).Add(-2 * time.Second)
		e, err := NewObserved(SourceObserved, exampleSystem, exampleSystem, asked, map[string]SourceState{"state": s.state})
		if err != nil {
			t.Fatal(err)
		}
		e.ID, e.Time = exampleID(e.Type, s.variant, n+2*i), exampleTime(n+2*i)
		report, err := NewSourceReport(s.state, asked.UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		after := raw(t, report)
		change, err := NewChange(SourceChanged, "source", exampleSystem, Recorded{Event: e, Seq: uint64(n + 2*i + 1)}, before, after)
		if err != nil {
			t.Fatal(err)
		}
		all, before = append(all, example{s.variant, e}, example{s.variant, change}), after
	}
	return all
}

// TestSourceReport: each state that events tell of is said in words, with what
// helps unless all is well.
func TestSourceReport(t *testing.T) {
	for s := range sourceStates {
		r, err := NewSourceReport(s, 1764349304271093)
		if err != nil || r.State != s || r.Since != "2025-11-28T17:01:44.271093Z" || r.Reason == "" || (r.ToDo == "") != (s == SourceOK) {
			t.Errorf("%s: got %+v, %v", s, r, err)
		}
	}
	for _, s := range []SourceState{SourceUnreachable, "", "asleep"} {
		if r, err := NewSourceReport(s, 0); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: got %+v, %v, want ErrInvalid", s, r, err)
		}
	}
}
