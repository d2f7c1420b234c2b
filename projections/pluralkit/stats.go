package pluralkit

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchlog/projections/engine"
	"switchlog/projections/statistics"
	"switchlog/schemas"
)

// maxStatsSwitches is how many switches statistics are made of at most (Law 10).
const maxStatsSwitches = 500_000

// statsQuery is front time, computed by package statistics.
var statsQuery = engine.Query{
	Name: "stats", Path: "stats", One: true, Compute: stats,
	Doc: "Front time: sessions, shares, gaps, pairs and hours of a range of time, and PluralKit's own front breakdown.",
	Params: []engine.Param{
		{Name: "range", Default: "30d", Doc: "The last so many days (7d, 30d, 90d, 365d, any number), all, or FROM/TO: two times with a slash between."},
		{Name: "from", Kind: schemas.Time, Doc: "The range begins here; it goes before range."},
		{Name: "to", Kind: schemas.Time, Doc: "The range ends before this; without it, and at most, now."},
		{Name: "group", Doc: "Only this group's members, by its uuid or short id: a switch without any of them is one in which nobody fronts."},
		{Name: "member", Doc: "Whose hours, by uuid or short id; without it, those in which anybody fronted."},
		{Name: "timezone", Doc: "Of the hours, such as Europe/Berlin; without it, the one that the system has set, or UTC."},
	},
}

// Stats is the answer to the query "stats". Seconds have fractions; shares are
// percent. Lists of members, groups and pairs begin with the longest.
type Stats struct {
	System    string `json:"system_uuid"`
	Timezone  string `json:"timezone"`
	From      string `json:"from"`
	To        string `json:"to"`
	KnownFrom string `json:"known_from"` // the first switch, if that is after from; equal to to: nothing is known

	FrontedSeconds float64 `json:"fronted_seconds"` // in which somebody fronted
	NobodySeconds  float64 `json:"nobody_seconds"`  // in which nobody did
	MemberSeconds  float64 `json:"member_seconds"`  // the front time of all members together
	Switches       int     `json:"switches"`
	SwitchesADay   float64 `json:"switches_a_day"` // of the time that is known

	Members []MemberStats `json:"members"`
	Groups  []GroupStats  `json:"groups"` // those in which somebody is known to be
	Gaps    GapStats      `json:"gaps"`   // in which nobody fronted
	Pairs   []PairStats   `json:"pairs"`  // who fronted together; the first 100
	// PairsOmitted says that there were too many pairs to count.
	PairsOmitted bool `json:"pairs_omitted"`

	// HoursSeconds is front time by weekday (Monday first) and hour of the day, by
	// the clock on the wall.
	HoursSeconds [7][24]float64 `json:"hours_seconds"`
	PluralKit    Breakdown      `json:"pluralkit"`
}

// Named is a member or a group with what it is called.
type Named struct {
	UUID        string  `json:"uuid"`
	ID          *string `json:"id"`
	Name        *string `json:"name"`
	DisplayName *string `json:"display_name"`
	Color       *string `json:"color"`
}

// MemberStats is the front time of one member.
type MemberStats struct {
	Named
	Sessions        int     `json:"sessions"`
	TotalSeconds    float64 `json:"total_seconds"`
	AverageSeconds  float64 `json:"average_seconds"`
	MedianSeconds   float64 `json:"median_seconds"`
	ShortestSeconds float64 `json:"shortest_seconds"`
	LongestSeconds  float64 `json:"longest_seconds"`
	Share           float64 `json:"share"`      // of the time that is known
	FlatShare       float64 `json:"flat_share"` // of the front time of all members; all add up to 100.0
}

// GroupStats is the time in which at least one of a group's members fronted.
type GroupStats struct {
	Named
	TotalSeconds float64 `json:"total_seconds"`
	Share        float64 `json:"share"`
}

// GapStats are the stretches in which nobody fronted; the longest 100 of them.
type GapStats struct {
	Count          int     `json:"count"`
	LongestSeconds float64 `json:"longest_seconds"`
	Longest        []Gap   `json:"longest"`
}

// Gap is one of them.
type Gap struct {
	Started string  `json:"started"`
	Ended   string  `json:"ended"`
	Seconds float64 `json:"seconds"`
}

// PairStats is how long two members fronted together.
type PairStats struct {
	Members      [2]Named `json:"members"`
	TotalSeconds float64  `json:"total_seconds"`
}

// Breakdown is what PluralKit's own command (pk;system frontpercent) shows for
// the range, with its four percentages. Its rules are PluralKit's: of switches
// with one timestamp the members of all of them count.
type Breakdown struct {
	From string         `json:"from"`
	To   string         `json:"to"`
	Rows []BreakdownRow `json:"rows"`
}

// BreakdownRow is one member's part, or nobody's: then Member is null, and so are
// the two percentages without nobody.
type BreakdownRow struct {
	Member                  *Named   `json:"member"`
	Seconds                 float64  `json:"seconds"`
	Percent                 float64  `json:"percent"`
	PercentFrontersOnly     *float64 `json:"percent_fronters_only"`
	PercentFlat             float64  `json:"percent_flat"`
	PercentFlatFrontersOnly *float64 `json:"percent_flat_fronters_only"`
}

// stats answers statsQuery.
func stats(tx *engine.Tx, a engine.Asked) (any, error) {
	fromUS, toUS, err := statsRange(a)
	if err != nil {
		return nil, err
	}
	zone, err := statsZone(tx, a)
	if err != nil {
		return nil, err
	}
	r := statsReader{tx: tx, tenant: a.Tenant, members: map[string]Named{}, deleted: map[string]bool{}, groups: map[string]Named{}}
	if err := r.readNames(); err != nil {
		return nil, err
	}
	member, err := find(r.members, "member", a.Text("member"))
	if err != nil {
		return nil, err
	}
	group, err := find(r.groups, "group", a.Text("group"))
	if err != nil {
		return nil, err
	}
	groups, err := r.readGroups()
	if err != nil {
		return nil, err
	}
	var only map[string]bool
	if group != "" {
		only = map[string]bool{}
		for _, uuid := range groups[group] {
			only[uuid] = true
		}
		groups = map[string][]string{group: groups[group]}
	}
	switches, err := r.readSwitches(fromUS, toUS, only)
	if err != nil {
		return nil, err
	}
	if fromUS == allUS {
		if fromUS = toUS; len(switches) > 0 {
			fromUS = switches[0].StartUS
		}
	}
	s := statistics.Compute(switches, statistics.Options{FromUS: fromUS, ToUS: toUS, Zone: zone, Member: member, Groups: groups})
	out := r.describe(s)
	out.System, out.Timezone = a.Tenant, zone.String()
	out.From, out.To, out.KnownFrom = instantOf(fromUS), instantOf(toUS), instantOf(s.FirstUS)
	out.PluralKit = r.breakdown(statistics.Frontpercent(switches, fromUS, toUS, nil))
	return out, nil
}

// allUS is the beginning of a range that begins with the first switch.
const allUS = -1 << 62

var daysRange = regexp.MustCompile(`^([1-9][0-9]{0,4})d$`)

// statsRange reads the parameters range, from and to.
func statsRange(a engine.Asked) (fromUS, toUS int64, err error) {
	now := a.Now.UnixMicro()
	toUS = now
	text := a.Text("range")
	begin, end, isPair := strings.Cut(text, "/")
	days := daysRange.FindStringSubmatch(text)
	switch {
	case isPair:
		if fromUS, err = schemas.ParseTime(begin); err == nil {
			toUS, err = schemas.ParseTime(end)
		}
	case text == "all":
		fromUS = allUS
	case days != nil:
		n, _ := strconv.Atoi(days[1]) // the pattern has at most five digits
		fromUS = a.Now.Add(-time.Duration(n) * 24 * time.Hour).UnixMicro()
	default:
		err = schemas.ErrInvalid
	}
	if err != nil {
		return 0, 0, fmt.Errorf("parameter range: %w: want 7d, 30d, 90d, 365d, all, or two times with a slash between", schemas.ErrInvalid)
	}
	if us, given := a.Int("to"); given {
		toUS = us
		if days != nil { // so many days before the end
			fromUS += us - now
		}
	}
	if us, given := a.Int("from"); given {
		fromUS = us
	}
	toUS = min(toUS, now)
	if fromUS >= toUS {
		return 0, 0, fmt.Errorf("%w: the range ends before it begins, or is yet to come", schemas.ErrInvalid)
	}
	return fromUS, toUS, nil
}

// statsZone is the time zone of the hours.
func statsZone(tx *engine.Tx, a engine.Asked) (*time.Location, error) {
	name := a.Text("timezone")
	if name != "" {
		zone, err := time.LoadLocation(name)
		if err != nil || name == "Local" { // the server's own, which nobody means
			return nil, fmt.Errorf("parameter timezone: %w: there is no time zone of that name (hint: Europe/Berlin)", schemas.ErrInvalid)
		}
		return zone, nil
	}
	row, err := tx.Get(`SELECT timezone FROM system_settings WHERE system_uuid = ?`, a.Tenant)
	if err != nil || row == nil || row.Text(0) == "Local" {
		return time.UTC, err
	}
	if zone, err := time.LoadLocation(row.Text(0)); err == nil {
		return zone, nil
	}
	return time.UTC, nil // PluralKit knows one that this machine does not
}

// find is the uuid that a reference means; empty if there is no reference.
func find(named map[string]Named, what, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	if uuid := strings.ToLower(ref); named[uuid].UUID != "" {
		return uuid, nil
	}
	if id, ok := schemas.PluralKitShortID(ref); ok {
		for uuid, n := range named {
			if n.ID != nil && *n.ID == id {
				return uuid, nil
			}
		}
	}
	return "", fmt.Errorf("parameter %s: %w: there is no %[1]s %q", what, schemas.ErrInvalid, engine.Clip(ref))
}

// statsReader reads what statistics are made of.
type statsReader struct {
	tx      *engine.Tx
	tenant  string
	members map[string]Named // by uuid, those that are not deleted
	deleted map[string]bool
	groups  map[string]Named
}

func (r *statsReader) readNames() error {
	err := r.tx.Each(`SELECT uuid, id, name, display_name, color, deleted_us IS NOT NULL FROM members WHERE system_uuid = ? ORDER BY uuid`,
		[]any{r.tenant}, func(row engine.Row) error {
			if row.Int(5) == 1 {
				r.deleted[row.Text(0)] = true
				return nil
			}
			r.members[row.Text(0)] = namedOf(row)
			return nil
		})
	if err != nil {
		return err
	}
	return r.tx.Each(`SELECT uuid, id, name, display_name, color FROM groups WHERE system_uuid = ? AND deleted_us IS NULL ORDER BY uuid`,
		[]any{r.tenant}, func(row engine.Row) error {
			r.groups[row.Text(0)] = namedOf(row)
			return nil
		})
}

func namedOf(row engine.Row) Named {
	text := func(i int) *string {
		if row.Null(i) {
			return nil
		}
		s := row.Text(i)
		return &s
	}
	return Named{UUID: row.Text(0), ID: text(1), Name: text(2), DisplayName: text(3), Color: text(4)}
}

// readGroups is who is in each group.
func (r *statsReader) readGroups() (map[string][]string, error) {
	groups := map[string][]string{}
	err := r.tx.Each(`SELECT group_uuid, member_uuid FROM group_members WHERE system_uuid = ? ORDER BY group_uuid, member_uuid`,
		[]any{r.tenant}, func(row engine.Row) error {
			groups[row.Text(0)] = append(groups[row.Text(0)], row.Text(1))
			return nil
		})
	return groups, err
}

// readSwitches gives the listed switches that began before toUS, from the one
// that was current at fromUS on, with the members that are not deleted; if only is
// not nil, only with those in it.
func (r *statsReader) readSwitches(fromUS, toUS int64, only map[string]bool) ([]statistics.Switch, error) {
	var switches []statistics.Switch
	known := map[string]string{} // one string for each uuid, not for each time it is in a list
	err := r.tx.Each(`SELECT timestamp_us, members FROM switches
		WHERE system_uuid = ?1 AND listed = 1 AND timestamp_us < ?3 AND timestamp_us >= coalesce((SELECT max(timestamp_us) FROM switches
			WHERE system_uuid = ?1 AND listed = 1 AND timestamp_us <= ?2), ?2)
		ORDER BY timestamp_us, uuid LIMIT ?4`, []any{r.tenant, fromUS, toUS, maxStatsSwitches + 1}, func(row engine.Row) error {
		s := statistics.Switch{StartUS: row.Int(0)}
		// The list is JSON as the fold writes it: uuids in quotes, nothing escaped.
		for i, uuid := range strings.Split(row.Text(1), `"`) {
			if i%2 == 0 || r.deleted[uuid] || only != nil && !only[uuid] || slices.Contains(s.Members, uuid) {
				continue
			}
			if known[uuid] == "" {
				known[uuid] = strings.Clone(uuid)
			}
			s.Members = append(s.Members, known[uuid])
		}
		switches = append(switches, s)
		return nil
	})
	if len(switches) > maxStatsSwitches {
		return nil, fmt.Errorf("%w: over %d switches (hint: ask for a smaller range)", engine.ErrTooLarge, maxStatsSwitches)
	}
	return switches, err
}
