package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchlog/projections/engine"
)

// core is what both doors have: the queries, and the way to their answers.
type core struct {
	Config
	metrics *metrics
	queries limit
	waits   limit

	sources map[string]map[string]engine.Query // by source and name
}

func newCore(c Config) *core {
	c = c.withDefaults()
	k := &core{
		Config: c, metrics: newMetrics(c.Metrics),
		queries: make(limit, c.MaxQueries), waits: make(limit, c.MaxWaits),
		sources: map[string]map[string]engine.Query{},
	}
	for _, p := range c.Projections {
		if k.sources[p.Source] == nil {
			k.sources[p.Source] = map[string]engine.Query{}
		}
		for _, q := range p.Queries {
			if _, twice := k.sources[p.Source][q.Name]; twice || q.Path == labelChanges {
				panic(fmt.Sprintf("query: %s of %s: its name is taken, or its path", q.Name, p.Source))
			}
			k.sources[p.Source][q.Name] = q
		}
	}
	return k
}

// match finds the query of a source whose path the segments fit, and what
// the path's parameters are. Of several the one with the fewest wins.
func (k *core) match(source string, segments []string) (found engine.Query, bound map[string]string, ok bool) {
	for _, q := range k.sources[source] {
		if b, fits := fit(q.Path, segments); fits && (!ok || len(b) < len(bound)) {
			found, bound, ok = q, b, true
		}
	}
	return found, bound, ok
}

func fit(path string, segments []string) (bound map[string]string, ok bool) {
	want := strings.Split(path, "/")
	if len(want) != len(segments) {
		return nil, false
	}
	bound = map[string]string{}
	for i, segment := range segments {
		if name, isParam := paramSegment(want[i]); isParam {
			bound[name] = segment
		} else if want[i] != segment {
			return nil, false
		}
	}
	return bound, true
}

// answer waits for the position if that is asked for, and asks. A One that has
// no row is errNotFound, with the position it is true at.
func (k *core) answer(ctx context.Context, q question) (engine.Answer, error) {
	if err := k.known(ctx, q.source, q.params["tenant"]); err != nil {
		return engine.Answer{}, err
	}
	if q.waitFor > 0 {
		if err := k.wait(ctx, q.waitFor); err != nil {
			return engine.Answer{}, err
		}
	}
	if !k.queries.take() {
		return engine.Answer{}, errBusy
	}
	defer k.queries.give()
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	ask := k.Store.Ask
	if q.public {
		if k.Public == nil {
			return engine.Answer{}, errNotFound
		}
		ask = k.Public.AskPublic
	}
	a, err := ask(ctx, q.source, q.query.Name, q.params)
	if err == nil && !a.Found {
		err = errNotFound
	}
	return a, err
}

// known is errNotFound for a tenant there is not: an empty answer would say that
// there is one, of whom nothing is known.
func (k *core) known(ctx context.Context, source, tenant string) error {
	if k.Tenants == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	known, err := k.Tenants.Knows(ctx, source, tenant)
	switch {
	case err != nil:
		k.Logger.Warn("tenants", "source", source, "err", err)
		return errUnavailable
	case !known:
		return errNotFound
	}
	return nil
}

// tenantOf resolves Me and names that stand for a tenant.
func (k *core) tenantOf(ctx context.Context, reader Reader, source, text string) (string, error) {
	if text != Me && (k.Tenants == nil || text == reader.Tenant) {
		return text, nil
	}
	if text != Me {
		ctx, cancel := context.WithTimeout(ctx, k.Timeout)
		defer cancel()
		tenant, err := k.Tenants.Resolve(ctx, source, text)
		if err != nil {
			k.Logger.Warn("tenants", "source", source, "err", err)
			return "", errUnavailable
		}
		return tenant, nil
	}
	if reader.Tenant != "" {
		return reader.Tenant, nil
	}
	if k.Tenants != nil {
		if only, ok := k.Tenants.Only(source); ok {
			return only, nil
		}
	}
	return "", errNotOne
}

// wait waits for a position. Whoever waits holds no place among the queries,
// or a few could keep everybody from asking.
func (k *core) wait(ctx context.Context, seq uint64) error {
	if !k.waits.take() {
		return errBusy
	}
	defer k.waits.give()
	timed, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	err := k.Store.Wait(timed, seq)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return errBehind
	}
	return err
}

// report logs what is our fault. What was refused is the caller's, and is
// counted.
func (k *core) report(code int, query string, begin time.Time, err error) {
	if code == 500 {
		k.Logger.Error("query", "query", query, "took", time.Since(begin), "err", err)
	}
}

// limit is how many may do a thing at once.
type limit chan struct{}

func (l limit) take() bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l limit) give() { <-l }
