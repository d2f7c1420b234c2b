package ui

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// errNotFound says that there is no such thing, or none for this reader.
var errNotFound = errors.New("not found")

// member is a member as pages show it.
type member struct {
	UUID        string `json:"uuid"`
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	Pronouns    string `json:"pronouns"`
	Color       string `json:"color"`
	AvatarURL   string `json:"avatar_url"`
	Birthday    string `json:"birthday"`
	Description string `json:"description"`
	Created     string `json:"created"`
	ProxyTags   []struct {
		Prefix string `json:"prefix"`
		Suffix string `json:"suffix"`
	} `json:"proxy_tags"`
	MessageCount int               `json:"message_count"`
	Privacy      map[string]string `json:"privacy"`
}

// group is a group of members.
type group struct {
	UUID        string            `json:"uuid"`
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	DisplayName string            `json:"display_name"`
	Description string            `json:"description"`
	Color       string            `json:"color"`
	Members     []string          `json:"members"`
	Privacy     map[string]string `json:"privacy"`
}

// front is who fronts.
type front struct {
	SwitchUUID string   `json:"switch_uuid"`
	SinceUS    int64    `json:"since_us"` // of the latest switch; 0: there is none
	Members    []member `json:"members"`
}

// stretch is the time between two switches.
type stretch struct {
	SwitchUUID string    `json:"switch_uuid"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"` // zero: it goes on
	Members    []member  `json:"members"`
}

// ask reads the answer of a query into out.
func (h *Handler) ask(ctx context.Context, system, query string, params map[string]string, out any) error {
	body, found, err := h.Store.Ask(ctx, system, query, params)
	switch {
	case err != nil:
		return err
	case !found:
		return errNotFound
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("answer of %s: %w", query, err)
	}
	return nil
}

func (h *Handler) front(ctx context.Context, system string, at time.Time) (front, error) {
	var f front
	params := map[string]string{}
	if !at.IsZero() {
		params["at"] = at.UTC().Format(time.RFC3339Nano)
	}
	err := h.ask(ctx, system, "fronters", params, &f)
	if errors.Is(err, errNotFound) {
		err = nil
	}
	return f, err
}

// timeline gives the stretches that touch a span of time, newest first, at
// most limit. A zero time is no bound.
func (h *Handler) timeline(ctx context.Context, system string, after, before time.Time, limit int) ([]stretch, error) {
	params := map[string]string{"limit": strconv.Itoa(limit)}
	if !after.IsZero() {
		params["after"] = after.UTC().Format(time.RFC3339Nano)
	}
	if !before.IsZero() {
		params["before"] = before.UTC().Format(time.RFC3339Nano)
	}
	var all []stretch
	err := h.ask(ctx, system, "timeline", params, &all)
	return all, err
}

// maxRun is how many switches back a member's run is followed. Older, the page says
// that it is longer.
const maxRun = 1000

// runs says since when each member of a front has been in it without a break,
// across switches. Longer is true where the run began before what was read.
func (h *Handler) runs(ctx context.Context, system string, f front) (since map[string]time.Time, longer bool, err error) {
	since = map[string]time.Time{}
	for limit := 32; len(f.Members) > 0; limit = maxRun {
		switches, err := h.timeline(ctx, system, time.Time{}, time.UnixMicro(f.SinceUS+1), limit)
		if err != nil {
			return nil, false, err
		}
		if open := followRuns(switches, f, since); open == 0 || len(switches) < limit {
			return since, false, nil
		}
		if limit == maxRun {
			return since, true, nil
		}
	}
	return since, false, nil
}

// followRuns walks back in time and says how many members are still in the front at
// the oldest switch.
func followRuns(switches []stretch, f front, since map[string]time.Time) (open int) {
	running := map[string]bool{}
	for _, m := range f.Members {
		running[m.UUID] = true
	}
	for _, s := range switches {
		if !s.Ended.IsZero() && s.Ended.Equal(s.Started) {
			continue // replaced within the same instant: nobody saw it
		}
		here := map[string]bool{}
		for _, m := range s.Members {
			if here[m.UUID] = true; running[m.UUID] {
				since[m.UUID] = s.Started
			}
		}
		for uuid := range running {
			if !here[uuid] {
				delete(running, uuid)
			}
		}
		if len(running) == 0 {
			break
		}
	}
	return len(running)
}

// zone is the system's own time zone, as PluralKit knows it; nil if it is
// unknown.
func (h *Handler) zone(ctx context.Context, system string) *time.Location {
	var settings struct {
		Timezone string `json:"timezone"`
	}
	if h.ask(ctx, system, "settings", nil, &settings) != nil {
		return nil // pages then show UTC, and say so
	}
	return loadZone(settings.Timezone)
}

// shown is what a member is called on pages.
func (m member) shown() string { return cmp.Or(m.DisplayName, m.Name) }
