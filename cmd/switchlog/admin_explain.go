package main

import (
	"context"
	"errors"
	"iter"
	"net/http"

	"switchlog/processor"
	"switchlog/schemas"
)

// errEnough ends the reading of a log.
var errEnough = errors.New("enough")

// explain answers which events made a row: it folds the tenant's events again,
// in memory. If rows of more than one tenant have the key, it is about all of them.
func (a admin) explain(w http.ResponseWriter, r *http.Request) error {
	table, key := r.URL.Query().Get("table"), r.URL.Query().Get("key")
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	subjects, err := a.n.db.Subjects(ctx, table, key)
	if err != nil {
		return err
	}
	out := causes{Table: table, Key: key, Events: []recordedJS{}}
	if out.KeyIs, out.ShortID, err = a.n.db.KeyOf(ctx, table); err != nil {
		return err
	}
	for _, s := range subjects {
		seqs, err := a.n.db.Explain(ctx, s, a.n.eventsOf(ctx, s.Source, s.Tenant, 1, 0))
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			_, m, err := a.n.events.Get(ctx, seq)
			if err != nil {
				return err
			}
			out.Events = append(out.Events, recordedJS{Seq: seq, Event: m.Body})
		}
	}
	answerJSON(w, http.StatusOK, out)
	return nil
}

// eventsOf is what the log has of a tenant, from one sequence to another (0: to its end).
func (n *node) eventsOf(ctx context.Context, source, tenant string, from, to uint64) iter.Seq2[schemas.Recorded, error] {
	subject := schemas.TenantSubjects(schemas.LogEvents, source, tenant)
	return func(yield func(schemas.Recorded, error) bool) {
		err := n.events.Read(ctx, processor.ReadOptions{From: from, To: to, Subject: subject}, func(e schemas.Recorded, _ schemas.Message) error {
			if !yield(e, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(schemas.Recorded{}, err)
		}
	}
}
