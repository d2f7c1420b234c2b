package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"switchlog/processor"
	"switchlog/schemas"
)

// Longer than this nothing should wait.
const longWait = time.Minute

// doctor says what the server knows of itself that is wrong.
func (a admin) doctor(w http.ResponseWriter, r *http.Request) error {
	s, err := a.n.status(r.Context())
	if err != nil {
		return err
	}
	findings := a.n.examine(s)
	if r.URL.Query().Get("quick") == "" {
		findings = append(findings, a.n.examineLog(r.Context()))
		findings = append(findings, a.n.examineAddress(r.Context())...)
	}
	answerJSON(w, http.StatusOK, findings)
	return nil
}

// examine turns the status into findings.
func (n *node) examine(s status) []finding {
	var findings []finding
	add := func(f finding) { findings = append(findings, f) }
	for _, p := range s.Problems {
		add(found("server", problem, p))
	}
	if len(s.Problems) == 0 {
		add(found("server", fine, "ready"))
	}
	if n.spoolLost {
		add(found("spool", warning, "spool.db was not there at the last start, though there was a log: what waited in it is lost (hint: put a copy back if there is one, with the server off; else: switchlog reconcile)"))
	}
	waiting := time.Duration(s.Spool.OldestSeconds * float64(time.Second))
	switch {
	case waiting > longWait:
		add(found("waiting", problem, fmt.Sprintf("%d events are not in the log yet, the oldest for %s (hint: see above what the log says)", s.Spool.Depth, waiting.Round(time.Second))))
	default:
		add(found("waiting", fine, fmt.Sprintf("%d events on their way to the log", s.Spool.Depth)))
	}
	if s.Projection != nil {
		findings = append(findings, examineDatabase(*s.Projection)...)
	}
	if len(s.Sources) == 0 {
		add(found("sources", warning, "nobody may send webhooks (hint: switchlog source add --help)"))
	}
	for _, src := range s.Sources {
		add(examineSource(src))
	}
	findings = append(findings, n.examineReaders()...)
	for _, p := range s.Deliveries.Problems {
		add(found("webhook", warning, p))
	}
	if s.Deliveries.Webhooks > 0 && len(s.Deliveries.Problems) == 0 {
		add(found("webhook", fine, fmt.Sprintf("%d webhooks, with %d deliveries due", s.Deliveries.Webhooks, s.Deliveries.Due)))
	}
	return findings
}

func examineDatabase(p projectionStatus) (findings []finding) {
	add := func(f finding) { findings = append(findings, f) }
	switch lag := time.Duration(p.LagSeconds * float64(time.Second)); {
	case lag > longWait:
		add(found("behind", warning, fmt.Sprintf("the database is %d events and %s behind the log (hint: wait; if it does not shrink, see: switchlog status)", p.LagEvents, lag.Round(time.Second))))
	default:
		add(found("behind", fine, fmt.Sprintf("the database is %d events behind the log", p.LagEvents)))
	}
	if held := walHeld(p.WALBytes, p.WALSince); held != "" {
		add(found("database", warning, held))
	}
	if p.Skipped > 0 {
		add(found("set aside", warning, fmt.Sprintf("%d events break the contract of their types (hint: switchlog sql \"SELECT * FROM skipped\" says why; a newer switchlog may know better)", p.Skipped)))
	}
	return findings
}

func examineSource(s sourceInfo) finding {
	name := s.Kind + " " + s.Name
	switch {
	case s.Conflict != "":
		return found("source", problem, name+": "+s.Conflict)
	case s.API != "" && s.API != "ok":
		return found("source", problem, fmt.Sprintf("%s: %s since %s (hint: switchlog status says what that means)", name, s.API, s.APISince))
	case s.LastEvent == "":
		return found("source", warning, fmt.Sprintf("%s: no event yet (hint: switchlog source test %s)", name, name))
	}
	return found("source", fine, fmt.Sprintf("%s: last event %s", name, ago(s.LastEvent)))
}

// examineLog reads all of the log.
func (n *node) examineLog(ctx context.Context) finding {
	var events uint64
	faults := 0
	err := n.events.Read(ctx, processor.ReadOptions{From: 1}, func(e schemas.Recorded, _ schemas.Message) error {
		events++
		if e.Fault != nil {
			faults++
		}
		return nil
	})
	switch {
	case err != nil && !strings.Contains(err.Error(), "(hint: "):
		return found("log", problem, err.Error()+" (hint: is the log's server there? See what is said of the server)")
	case err != nil:
		return found("log", problem, err.Error())
	case faults > 0:
		return found("log", warning, fmt.Sprintf("%d of %d messages are no events (hint: did somebody publish to %s.>? switchlog sql \"SELECT * FROM skipped\" shows them)", faults, events, schemas.LogEvents))
	}
	return found("log", fine, fmt.Sprintf("%d events, all of them readable", events))
}

// examineAddress plays PluralKit's part against the public address: name, IPv4,
// certificate, and a PING with a right token and one with a wrong one.
func (n *node) examineAddress(ctx context.Context) []finding {
	at := n.linkState()
	if at.Address == "" {
		return nil // this node takes no webhooks
	}
	r := n.checkAddress(ctx)
	findings := n.examineChallenge()
	for _, s := range r.Steps {
		findings = append(findings, stepFinding(s))
	}
	if r.OnlyLoopback {
		says := "only this machine was reached: how others reach it was not tried (hint: serve --public-url says at which https address they do; switchlog link pluralkit lists ways to one)"
		if at.Told {
			says = "only this machine was reached, since the name leads here from here: how others reach it was not tried (hint: open the address in a browser of a phone that is not in this network)"
		}
		findings = append(findings, found("public", warning, says))
	}
	return findings
}
