package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"switchlog/ingest"
	"switchlog/ingest/linking"
	"switchlog/schemas"
)

// pingsWait is how long a question for PINGs waits for one.
const pingsWait = 20 * time.Second

// linkState is what a person who links PluralKit must know of the server.
type linkState struct {
	Address  string       `json:"address"`         // for PluralKit; empty: this node takes no webhooks
	Told     bool         `json:"told"`            // --public-url or --domain says so; else it is where we listen
	Loopback bool         `json:"loopback"`        // only this machine can use it
	Listens  string       `json:"listens"`         // where a proxy or tunnel must pass to
	Pings    uint64       `json:"pings"`           // how many have come since the start
	Early    *ingest.Ping `json:"early,omitempty"` // of the last day, with a token nobody knows, and not put right since
}

// link says where PluralKit must send to, and what has come.
func (a admin) link(w http.ResponseWriter, _ *http.Request) error {
	answerJSON(w, http.StatusOK, a.n.linkState())
	return nil
}

func (n *node) linkState() linkState {
	s := linkState{Told: n.cfg.PublicURL != "" || n.certs != nil, Listens: listensAt(n.public), Pings: n.pings.Count()}
	if base := n.publicURL(); base != "" {
		s.Address = base + "/in/" + schemas.PluralKit
	}
	s.Loopback = linking.IsLoopback(s.Address)
	if early, ok := n.pings.Early(); ok {
		s.Early = &early
	}
	return s
}

// linkPings answers with the PINGs after a number, waiting for one.
func (a admin) linkPings(w http.ResponseWriter, r *http.Request) error {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		return badRequest("after is not a number")
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingsWait)
	defer cancel()
	go func() {
		select {
		case <-a.n.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	answerJSON(w, http.StatusOK, a.n.pings.Wait(ctx, after))
	return nil
}

// linkCheck plays PluralKit's part against the public address.
func (a admin) linkCheck(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	answerJSON(w, http.StatusOK, a.n.checkAddress(ctx))
	return nil
}

func (n *node) checkAddress(ctx context.Context) linking.Report {
	return linking.Checker{
		Right: n.pings.ProbeBody(true), Wrong: n.pings.ProbeBody(false), Arrived: n.pings.Probes, ArrivedBare: n.pings.Bare,
	}.Check(ctx, n.linkState().Address)
}

// notices are what a person should see though the server is ready.
func (n *node) notices() []string {
	notices := []string{}
	if early, ok := n.pings.Early(); ok {
		notices = append(notices, ago(schemas.FormatTime(early.Time))+": "+ingest.EarlyWords)
	}
	if says := n.certificateNotice(time.Now()); says != "" {
		notices = append(notices, says)
	}
	return notices
}
