package pluralkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// historyQuery is every version of one thing, from a fold of the tenant's events.
var historyQuery = engine.Query{
	Name: "history", Path: "history/{kind}/{id}", One: true, History: versionsOf,
	Doc: "Every version of a thing: what changed, when, and by which event; the newest first.",
	Params: []engine.Param{
		{Name: "kind", Doc: "system, member, group, switch, settings, account, message, guild or autoproxy."},
		{Name: "id", Doc: "Its uuid or id; for system, member and group the short id does as well."},
		{Name: "before", Kind: schemas.Int, Doc: "Only versions of events before this sequence: the next page."},
		{Name: "limit", Kind: schemas.Int, Default: "100", Doc: "How many at most, up to 1,000."},
	},
}

// historyKinds is the table of each kind of thing.
var historyKinds = map[string]string{
	"system": "systems", "member": "members", "group": "groups", "switch": "switches", "settings": "system_settings",
	"account": "accounts", "message": "messages", "guild": "system_guilds", "autoproxy": "autoproxy",
}

// bookkeeping are columns that say how a row was made; they are no part of a
// thing's history.
var bookkeeping = []string{
	"uuid", "system_uuid", "versions", "snapshot_us", "snapshot_id", "observed_us", "observed_id", "seen_us", "absent_us", "removed_us",
	"ordered", "first_us", "listed", "stand_in", "real_uuid", "ended_us",
	"timestamp_rank", "timestamp_at_us", "timestamp_event", "members_rank", "members_at_us", "members_event",
}

// History is the answer to the query "history".
type History struct {
	Kind     string    `json:"kind"`
	ID       string    `json:"id"` // what it is found under: a uuid, or Discord's id
	Versions []Version `json:"versions"`
}

// Version is what one event changed.
type Version struct {
	Seq     uint64            `json:"seq"`
	Event   string            `json:"event"` // its id
	Type    string            `json:"type"`
	Time    string            `json:"time"` // when it was accepted
	Origin  string            `json:"origin,omitempty"`
	Changed map[string]Values `json:"changed"` // by field
	Deleted bool              `json:"deleted"` // after it
}

// Values are those of a field before and after; null also means that it was not known.
type Values struct {
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// versionsOf answers historyQuery. It finds the thing among the rows there are
// now: a row is never removed.
func versionsOf(ctx context.Context, d *engine.DB, a engine.Asked, source string, to uint64) (any, error) {
	table, known := historyKinds[a.Text("kind")]
	if !known {
		return nil, fmt.Errorf("parameter kind: %w: want system, member, group, switch, settings, account, message, guild or autoproxy", schemas.ErrInvalid)
	}
	subjects, err := d.Subjects(ctx, table, a.Text("id"))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(subjects, func(s engine.Subject) bool { return s.Tenant == a.Tenant })
	if i < 0 {
		return nil, nil
	}
	before, paged := a.Int("before")
	if paged && before > 0 {
		to = min(to, uint64(before)-1)
	}
	limit, _ := a.Int("limit")
	w := watch{was: map[string]json.RawMessage{}, limit: int(min(limit, 1000))}
	if to > 0 {
		events, err := d.EventsOf(ctx, source, a.Tenant, to)
		if err == nil {
			err = d.Watch(ctx, subjects[i], events, bookkeeping, w.look)
		}
		if err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
	}
	slices.Reverse(w.versions)
	return History{Kind: a.Text("kind"), ID: subjects[i].Key, Versions: append([]Version{}, w.versions...)}, nil
}

// watch looks at one row after each event.
type watch struct {
	was      map[string]json.RawMessage
	versions []Version // the last ones, up to limit
	limit    int
}

// look notes a version if the row is another one than before.
func (w *watch) look(e schemas.Recorded, columns []string, row engine.Row) error {
	if row == nil {
		return nil
	}
	v := Version{Seq: e.Seq, Event: e.ID, Type: e.Type, Time: schemas.FormatTime(e.Time), Changed: map[string]Values{}}
	v.Origin, _ = e.Extensions["origin"].(string)
	for i, column := range columns {
		name, is, err := fieldOf(column, row[i])
		if err != nil {
			return err
		}
		if name == "deleted" {
			v.Deleted = string(is) != "null"
		}
		was, had := w.was[name]
		if !had {
			was = []byte("null")
		}
		if string(was) != string(is) {
			v.Changed[name] = Values{Before: was, After: is}
			w.was[name] = is
		}
	}
	if len(v.Changed) == 0 {
		return nil
	}
	if w.versions = append(w.versions, v); len(w.versions) > w.limit {
		w.versions = w.versions[1:]
	}
	return nil
}

// booleans are the columns that hold 0 or 1.
var booleans = func() map[string]bool {
	all := map[string]bool{"linked": true, "allow_autoproxy": true}
	for _, t := range []*schemas.ObjectType{schemas.PKSystemObject, schemas.PKSettingsObject, schemas.PKMemberObject, schemas.PKGroupObject} {
		for _, name := range t.Names() {
			if f := t.Field(name); f != nil && f.Kind == schemas.Bool {
				all[name] = true
			}
		}
	}
	return all
}()

// fieldOf is a column as an answer has it: times readable, lists as JSON.
func fieldOf(column string, v any) (name string, value json.RawMessage, err error) {
	name, isTime := strings.CutSuffix(column, "_us")
	switch n := v.(type) {
	case int64:
		if isTime {
			v = schemas.FormatTime(time.UnixMicro(n))
		} else if booleans[column] && (n == 0 || n == 1) {
			v = n == 1
		}
	case string:
		if strings.HasPrefix(n, "[") && json.Valid([]byte(n)) && (column == "members" || column == "proxy_tags" || column == "description_templates") {
			v = json.RawMessage(n)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(v)
	return name, bytes.TrimSpace(b.Bytes()), err
}
