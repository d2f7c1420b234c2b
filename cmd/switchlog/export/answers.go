package export

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchlog/schemas"
)

// Answers are what the read API answers of one tenant. What the reader may not
// see is nil.
type Answers struct {
	Source   string            `json:"source"`
	Tenant   string            `json:"tenant"`
	System   json.RawMessage   `json:"system"`
	Settings json.RawMessage   `json:"settings"`
	Members  []json.RawMessage `json:"members"`
	Groups   []json.RawMessage `json:"groups"`
	Switches []Switch          `json:"switches"` // newest first
}

// Switch is a switch as the query "switches" answers it. Its members are uuids,
// in the order in which they front.
type Switch struct {
	ID          string   `json:"id"`
	Timestamp   string   `json:"timestamp"` // RFC 3339, UTC, with six fraction digits
	TimestampUS int64    `json:"timestamp_us"`
	Members     []string `json:"members"`
}

// Empty reports whether there is nothing to take along.
func (a Answers) Empty() bool {
	return a.System == nil && len(a.Members)+len(a.Groups)+len(a.Switches) == 0
}

// AddPage adds a page of the query "switches", which is asked for at most limit
// of them. before is the parameter for the next page; it is empty after the last
// one. Switches at one moment may be on two pages, so pages overlap by a
// microsecond and a switch that is here is passed over. It fails if a page has
// no room for all switches of one moment: then the next page would be the same.
func (a *Answers) AddPage(page []Switch, limit int) (before string, err error) {
	if len(page) == 0 {
		return "", nil
	}
	last := page[len(page)-1].TimestampUS
	had := map[string]bool{} // of those at the moment where the pages meet
	for i := len(a.Switches) - 1; i >= 0 && a.Switches[i].TimestampUS <= page[0].TimestampUS; i-- {
		had[a.Switches[i].ID] = true
	}
	added := 0
	for _, s := range page {
		if !had[s.ID] {
			a.Switches = append(a.Switches, s)
			added++
		}
	}
	switch {
	case len(page) < limit:
		return "", nil
	case added == 0:
		return "", fmt.Errorf("more than %d switches are at %s, so the others cannot be read", limit-1, page[0].Timestamp)
	}
	return schemas.FormatTime(time.UnixMicro(last + 1)), nil
}

// member is what the files say of a member.
type member struct {
	UUID        string  `json:"uuid"`
	ID          *string `json:"id"`
	Name        *string `json:"name"`
	DisplayName *string `json:"display_name"`
}

// name is the first name that is known; empty if none is.
func (m member) name() string {
	for _, n := range []*string{m.Name, m.DisplayName, m.ID} {
		if n != nil && strings.TrimSpace(*n) != "" {
			return *n
		}
	}
	return ""
}

// membersByUUID are the members that may be seen.
func (a Answers) membersByUUID() (map[string]member, error) {
	byUUID := map[string]member{}
	for _, raw := range a.Members {
		var m member
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, fmt.Errorf("a member: %w", err)
		}
		byUUID[m.UUID] = m
	}
	return byUUID, nil
}

// stretch is a run of a member through consecutive switches.
type stretch struct {
	member string // uuid
	first  Switch
	endUS  int64
	ended  bool // else it goes on
}

// stretches are all runs, by their start.
func (a Answers) stretches() []stretch {
	var all []stretch
	running := map[string]int{} // by member: place in all
	for _, s := range slices.Backward(a.Switches) {
		for uuid, i := range running {
			if !slices.Contains(s.Members, uuid) {
				all[i].endUS, all[i].ended = s.TimestampUS, true
				delete(running, uuid)
			}
		}
		for _, uuid := range s.Members {
			if _, runs := running[uuid]; !runs {
				running[uuid] = len(all)
				all = append(all, stretch{member: uuid, first: s})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b stretch) int { return cmp.Compare(a.first.TimestampUS, b.first.TimestampUS) })
	return all
}
