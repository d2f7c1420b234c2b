package engine

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"switchlog/schemas"
)

// maxParamBytes is far more than any name or time.
const maxParamBytes = 1024

// Ask answers a query of a source. The params are texts, as a person gives
// them; "tenant" must be among them, and "as_of" may be: then the answer is what
// was known after that event, or at that time. Body and position are of one state of the
// file.
//
// Errors wrap ErrUnknownQuery, schemas.ErrInvalid (naming the parameter that is
// unknown, missing or malformed), ErrTooLarge, ErrStale, ErrDamaged, or ctx's
// error: SQLite is interrupted when ctx ends.
func (d *DB) Ask(ctx context.Context, source, name string, params map[string]string) (Answer, error) {
	asOf, past := params[AsOf]
	if past {
		params = maps.Clone(params)
		delete(params, AsOf)
	}
	q, args, err := d.query(source, name, params)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	switch {
	case past:
		var at moment
		if at, err = d.parseMoment(asOf); err == nil {
			a, err = d.askPast(ctx, source, params["tenant"], q, args, at)
		}
	case q.History != nil:
		a.Position = d.position()
		if err = d.past.enter(ctx); err == nil {
			err = d.history(ctx, q, args, time.Now(), source, params["tenant"], a.Position.Seq, &a)
			d.past.leave()
		}
	default:
		err = d.read(ctx, func(tx *Tx, p schemas.Position) error {
			a.Position = p
			return a.read(ctx, tx, q, args, time.Now())
		})
	}
	if err != nil {
		if d.stale() && !errors.Is(err, ErrDamaged) && !errors.Is(err, schemas.ErrInvalid) && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", ErrStale, err)
		}
		return Answer{}, fmt.Errorf("query %s: %w", name, err)
	}
	return a, nil
}

// query finds a query and binds its parameters.
func (d *DB) query(source, name string, params map[string]string) (Query, []driver.NamedValue, error) {
	q, known := d.queries[source][name]
	if !known {
		return q, nil, fmt.Errorf("%w: %q of source %q", ErrUnknownQuery, Clip(name), Clip(source))
	}
	args, err := q.bind(params)
	return q, args, err
}

// read asks the query of what tx sees, as of now.
func (a *Answer) read(ctx context.Context, tx *Tx, q Query, args []driver.NamedValue, now time.Time) error {
	if q.History != nil {
		return fmt.Errorf("%w: a history is asked of the database, not of a fold", ErrUnknownQuery)
	}
	if q.SQL == "" {
		return a.compute(ctx, tx, q, args, now)
	}
	enc := encoder{buf: make([]byte, 0, 1024)}
	if !q.One {
		enc.buf = append(enc.buf, '[')
	}
	err := tx.each(ctx, q.SQL, args, enc.head, func(r Row) error {
		if q.One && enc.rows > 0 {
			return errors.New("more than one row, of a query for one")
		}
		return enc.row(r)
	})
	if err != nil {
		return err
	}
	if !q.One {
		enc.buf = append(enc.buf, ']')
	}
	if a.Found = !q.One || enc.rows > 0; a.Found {
		a.Body = enc.buf
	}
	return nil
}

// compute has the query's own function answer.
func (a *Answer) compute(ctx context.Context, tx *Tx, q Query, args []driver.NamedValue, now time.Time) error {
	asked := askedOf(args, now)
	tx.view = ctx // what it reads ends with the question
	defer func() { tx.view = nil }()
	answer, err := q.Compute(tx, asked)
	if err != nil {
		return err
	}
	return a.encode(answer)
}

func askedOf(args []driver.NamedValue, now time.Time) Asked {
	asked := Asked{Now: now, Params: map[string]any{}}
	for _, arg := range args {
		if arg.Value != nil {
			asked.Params[arg.Name] = arg.Value
		}
	}
	asked.Tenant = asked.Text("tenant")
	return asked
}

// encode writes what a function answered; nil is no row.
func (a *Answer) encode(answer any) error {
	if a.Found = answer != nil; !a.Found {
		return nil
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil {
		return err
	}
	if body.Len() > maxAnswerBytes {
		return fmt.Errorf("%w: over %d bytes (hint: ask for less)", ErrTooLarge, maxAnswerBytes)
	}
	a.Body = bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	return nil
}

// Sources lists the sources that have queries, sorted.
func (d *DB) Sources() []string {
	var sources []string
	for source := range d.queries {
		sources = append(sources, source)
	}
	slices.Sort(sources)
	return sources
}

// Queries lists the queries of a source, in the order of the projections.
func (d *DB) Queries(source string) []Query {
	var queries []Query
	for _, p := range d.cfg.Projections {
		if p.Source == source {
			queries = append(queries, p.Queries...)
		}
	}
	return queries
}

// index finds queries by source and name. Two of the same name are a bug.
func index(all []Projection) map[string]map[string]Query {
	queries := make(map[string]map[string]Query)
	for _, p := range all {
		for _, q := range p.Queries {
			if queries[p.Source] == nil {
				queries[p.Source] = make(map[string]Query)
			}
			if _, twice := queries[p.Source][q.Name]; twice {
				panic(fmt.Sprintf("projections: two queries %q of source %q", q.Name, p.Source))
			}
			queries[p.Source][q.Name] = q
		}
	}
	return queries
}

// bind reads the parameters as their kinds say.
func (q Query) bind(params map[string]string) ([]driver.NamedValue, error) {
	if params["tenant"] == "" {
		return nil, fmt.Errorf("%w: parameter tenant is missing", schemas.ErrInvalid)
	}
	if len(params["tenant"]) > maxParamBytes {
		return nil, fmt.Errorf("%w: parameter tenant: over %d bytes", schemas.ErrInvalid, maxParamBytes)
	}
	args := make([]driver.NamedValue, 1, 1+len(q.Params))
	args[0] = named("tenant", params["tenant"])
	seen := 1
	for _, p := range q.Params {
		text, given := params[p.Name]
		if given {
			seen++
		} else {
			text = p.Default
		}
		var value any
		if given || p.Default != "" {
			var err error
			if value, err = p.value(text); err != nil {
				return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
			}
		}
		args = append(args, named(p.Name, value))
	}
	if seen < len(params) {
		return nil, q.unknown(params)
	}
	return args, nil
}

// unknown names the first parameter, by the alphabet, that the query has not.
func (q Query) unknown(params map[string]string) error {
	var unknown []string
	for name := range params {
		if name != "tenant" && !slices.ContainsFunc(q.Params, func(p Param) bool { return p.Name == name }) {
			unknown = append(unknown, Clip(name))
		}
	}
	return fmt.Errorf("%w: unknown parameter %q", schemas.ErrInvalid, slices.Min(unknown))
}

func (p Param) value(text string) (any, error) {
	if len(text) > maxParamBytes {
		return nil, fmt.Errorf("%w: over %d bytes", schemas.ErrInvalid, maxParamBytes)
	}
	switch p.Kind {
	case schemas.Text:
		return text, nil
	case schemas.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: want a whole number", schemas.ErrInvalid)
		}
		if n < 0 || n == 0 && p.Name == "limit" { // SQLite reads a negative limit as none
			return nil, fmt.Errorf("%w: want a number from %d on", schemas.ErrInvalid, map[bool]int{true: 1}[p.Name == "limit"])
		}
		return n, nil
	case schemas.Bool:
		switch text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%w: want true or false", schemas.ErrInvalid)
	case schemas.Time:
		us, err := schemas.ParseTime(text)
		if err != nil {
			return nil, fmt.Errorf("%w: want a time like 2026-01-31T23:59:59Z", schemas.ErrInvalid)
		}
		return us, nil
	}
	panic(fmt.Sprintf("projections: parameter %s has kind %d", p.Name, p.Kind))
}

// Clip cuts what a stranger sent to a length fit for an error.
func Clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
