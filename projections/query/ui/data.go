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
	SinceUS      int64             `json:"since_us"` // of one who fronts: when the run began
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
	err := h.ask(ctx, system, "front", params, &f)
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

func (h *Handler) members(ctx context.Context, system string) ([]member, error) {
	var all []member
	err := h.ask(ctx, system, "members", nil, &all)
	return all, err
}

func (h *Handler) groups(ctx context.Context, system string) ([]group, error) {
	var all []group
	err := h.ask(ctx, system, "groups", nil, &all)
	return all, err
}
