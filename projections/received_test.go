package projections

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// TestLaw6ReceivedInAnyOrder: the same messages give the same rows in whatever
// order, however often and in whatever batches they come, also if a later try
// is not the same to the byte; but for seq, which is the order of arrival.
func TestLaw6ReceivedInAnyOrder(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		fold := func(name string, batches ...[]schemas.Recorded) string {
			d, err := Open(engine.Config{Log: loud(rt), Path: filepath.Join(dir, fmt.Sprintf("%d-%s.db", run, name)), Projections: All})
			if err != nil {
				rt.Fatal(err)
			}
			defer d.Close()
			for _, batch := range batches {
				if err := d.Apply(t.Context(), "epoch", batch); err != nil {
					rt.Fatal(err)
				}
			}
			return receivedRows(rt, d)
		}
		sent := drawReceived(rt)
		want := fold("sorted", renumber(sent))
		if n := strings.Count(want, "\n"); n != len(sent) {
			rt.Fatalf("%d rows of %d messages:\n%s", n, len(sent), want)
		}
		for i, late := range sent { // sent again, when nobody remembers it
			if i%3 == 0 {
				late.Time, late.Type = late.Time.Add(time.Hour), "later"
				sent = append(sent, late)
			}
		}
		again := rapid.Permutation(append(sent, sent[:rapid.IntRange(0, len(sent)).Draw(rt, "doubled")]...)).Draw(rt, "shuffled")
		var batches [][]schemas.Recorded
		for rest := renumber(again); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "batch")
			batches, rest = append(batches, rest[:n]), rest[n:]
		}
		if got := fold("shuffled", batches...); got != want {
			rt.Errorf("shuffled, doubled and cut:\ngot:\n%s\nwant:\n%s", got, want)
		}
	})
}

func renumber(events []schemas.Recorded) []schemas.Recorded {
	numbered := append([]schemas.Recorded(nil), events...)
	for i := range numbered {
		numbered[i].Seq = uint64(i + 1)
	}
	return numbered
}

func receivedRows(t *rapid.T, d *DB) string {
	var b strings.Builder
	err := d.View(t.Context(), func(tx *engine.Tx, _ schemas.Position) error {
		return tx.Each(`SELECT source, tenant, sender, id, type, subject, time_us, dataschema, datacontenttype, extensions, data, data_bytes
		FROM received ORDER BY source, tenant, sender, id`, nil, func(r engine.Row) error {
			_, err := fmt.Fprintf(&b, "%q\n", r)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// drawReceived draws messages of three kinds, two sources each: no two with
// the same sender and id.
func drawReceived(t *rapid.T) []schemas.Recorded {
	var all []schemas.Recorded
	for i := range rapid.IntRange(1, 20).Draw(t, "messages") {
		kind := rapid.SampledFrom([]string{schemas.StandardWebhooks, schemas.SharedToken, schemas.CloudEvents}).Draw(t, "kind")
		e := schemas.Event{
			ID: fmt.Sprint(i / 2), Source: fmt.Sprintf("urn:sender:%d", i%2), Type: rapid.SampledFrom([]string{"a.b", "me.pluralkit.switch.create"}).Draw(t, "type"),
			Time: time.UnixMicro(rapid.Int64Range(-5, 5).Draw(t, "time")), Route: schemas.GenericRoute(kind, rapid.SampledFrom([]string{"one", "two"}).Draw(t, "tenant")),
		}
		switch rapid.IntRange(0, 3).Draw(t, "data") {
		case 0:
			e.Data = json.RawMessage(`{"x":"é\u0000"}`)
		case 1:
			e.Data, e.DataContentType = json.RawMessage(`"text"`), "text/plain"
		case 2:
			e.Binary = append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "bytes")...)
		}
		all = append(all, schemas.Recorded{Event: e})
	}
	return all
}
