package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"switchlog/schemas"
)

func TestAsk(t *testing.T) {
	d := openTemp(t)
	apply(t, d, 10, []schemas.Recorded{
		thing(1, tenantA, "update", "uuid-1", `quote " & <ü>`),
		thing(2, tenantA, "update", "uuid-2", "two"),
		thing(3, tenantB, "update", "uuid-3", "three"),
		thing(4, tenantA, "delete", "uuid-4", "four"),
	})
	rest := `,"tags":["x",1],"none":null,"alive":%t,"maybe":null,"half":0.5,"bytes":"AP8=","since_us":%s}`
	row := func(uuid, name string, alive bool, since string) string {
		return fmt.Sprintf(`{"uuid":%q,"name":%s,"seen":1`+rest, uuid, name, alive, since)
	}
	one, two := row("uuid-1", `"quote \" & <ü>"`, true, "null"), row("uuid-2", `"two"`, true, "null")
	four := row("uuid-4", `"four"`, false, "null")

	for _, c := range []struct {
		query  string
		params string // key=value, space
		want   string
	}{
		{"things", "all=false", "[" + one + "," + two + "]"},
		{"things", "", "[" + one + "," + two + "," + four + "]"},
		{"things", "all=true limit=1", "[" + one + "]"},
		{"things", "name=two", "[" + two + "]"},
		{"things", "name=", "[]"},
		{"things", "name=two since=2026-01-31T00:00:00.0000019Z", "[" + row("uuid-2", `"two"`, true, "1769817600000001") + "]"},
		{"thing", "ref=uuid-2", `{"uuid":"uuid-2","name":"two"}`},
		{"thing", "ref=uuid-3", ``}, // another tenant's
		{"thing", "", ``},
	} {
		params := map[string]string{"tenant": tenantA}
		for _, kv := range strings.Fields(c.params) {
			k, v, _ := strings.Cut(kv, "=")
			params[k] = v
		}
		a, err := d.Ask(t.Context(), "test", c.query, params)
		if err != nil {
			t.Errorf("%s %s: %v", c.query, c.params, err)
			continue
		}
		if string(a.Body) != c.want || a.Found != (c.want != "") {
			t.Errorf("%s %s: got %v %s, want %s", c.query, c.params, a.Found, a.Body, c.want)
		}
		if want := (schemas.Position{Epoch: "epoch", Seq: 4, ID: "event-4"}); a.Position != want {
			t.Errorf("%s: got position %+v, want %+v", c.query, a.Position, want)
		}
		if a.Found && !json.Valid(a.Body) {
			t.Errorf("%s: no JSON: %s", c.query, a.Body)
		}
	}
}

func TestAskRefuses(t *testing.T) {
	d := openTemp(t)
	apply(t, d, 1, []schemas.Recorded{thing(1, tenantA, "update", "uuid-1", "x")})
	for _, c := range []struct {
		source, query, params string
		want                  error
		says                  string
	}{
		{"test", "nothing", "tenant=t", ErrUnknownQuery, `"nothing" of source "test"`},
		{"other", "things", "tenant=t", ErrUnknownQuery, `source "other"`},
		{"test", "things", "", schemas.ErrInvalid, "tenant is missing"},
		{"test", "things", "tenant=", schemas.ErrInvalid, "tenant is missing"},
		{"test", "things", "tenant=" + strings.Repeat("x", 2000), schemas.ErrInvalid, "parameter tenant"},
		{"test", "things", "tenant=t zeta=1 eta=2", schemas.ErrInvalid, `unknown parameter "eta"`},
		{"test", "things", "tenant=t limit=ten", schemas.ErrInvalid, "parameter limit: invalid: want a whole number"},
		{"test", "things", "tenant=t limit=", schemas.ErrInvalid, "parameter limit"},
		{"test", "things", "tenant=t all=1", schemas.ErrInvalid, "parameter all: invalid: want true or false"},
		{"test", "things", "tenant=t since=yesterday", schemas.ErrInvalid, "parameter since"},
		{"test", "things", "tenant=t name=" + strings.Repeat("x", 2000), schemas.ErrInvalid, "parameter name: invalid: over 1024 bytes"},
		{"test", "many", "tenant=t", ErrTooLarge, "over 10000 rows"},
		{"test", "huge", "tenant=t", ErrTooLarge, "over 8388608 bytes"},
		{"test", "broken", "tenant=t", nil, "column x_json: it is no JSON"},
	} {
		params := map[string]string{}
		for _, kv := range strings.Fields(c.params) {
			k, v, _ := strings.Cut(kv, "=")
			params[k] = v
		}
		a, err := d.Ask(t.Context(), c.source, c.query, params)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %.40s: got %s, %v, want %v: %s", c.query, c.params, a.Body, err, c.want, c.says)
		}
	}
}

// TestAskIsInterrupted: a question ends with its context, and leaves a
// connection that answers the next one.
func TestAskIsInterrupted(t *testing.T) {
	d := openTemp(t)
	var all sync.WaitGroup
	for range 3 * maxReaders { // more than there are connections: some wait for one
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := d.Ask(ctx, "test", "endless", map[string]string{"tenant": "t"}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
			}
		})
	}
	all.Wait()
	if _, err := d.Ask(t.Context(), "test", "things", map[string]string{"tenant": "t"}); err != nil {
		t.Error(err)
	}
}

// TestAskAnswersAtItsPosition: what a question reads and the position it
// reports are of one state, while the writer goes on. The number of touches of
// one thing that changes with every event is the position.
func TestAskAnswersAtItsPosition(t *testing.T) {
	counting := things
	counting.Queries = []Query{{Name: "count", SQL: `SELECT sum(n) AS n FROM tallies ORDER BY n LIMIT 1`, One: true}}
	d := openTemp(t, counting)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for seq := 1; ; seq++ {
			select {
			case <-stop:
				return
			default:
				if err := d.Apply(t.Context(), "epoch", []schemas.Recorded{thing(seq, tenantA, "update", "uuid-1", "x")}); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	defer writer.Wait()
	defer close(stop)
	if err := d.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		a, err := d.Ask(t.Context(), "test", "count", map[string]string{"tenant": tenantA})
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`{"n":%d}`, a.Position.Seq); string(a.Body) != want {
			t.Fatalf("at position %d: got %s, want %s", a.Position.Seq, a.Body, want)
		}
	}
}

func TestAskAfterClose(t *testing.T) {
	d := openTemp(t)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Ask(t.Context(), "test", "things", map[string]string{"tenant": "t"}); !errors.Is(err, errClosed) {
		t.Errorf("got %v, want %v", err, errClosed)
	}
	if err := d.Apply(t.Context(), "epoch", history(1)); !errors.Is(err, errClosed) {
		t.Errorf("Apply: got %v, want %v", err, errClosed)
	}
}

func TestQueriesAreListed(t *testing.T) {
	d := openTemp(t)
	if got, want := fmt.Sprint(d.Sources()), "[test]"; got != want {
		t.Errorf("sources: got %s, want %s", got, want)
	}
	if got, want := len(d.Queries("test")), len(things.Queries); got != want {
		t.Errorf("got %d queries, want %d", got, want)
	}
	if got := d.Queries("other"); got != nil {
		t.Errorf("got %v, want none", got)
	}
}
