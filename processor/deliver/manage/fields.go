package manage

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"switchlog/schemas"
)

// textMember reads a string of at most that many bytes, without control characters
// other than line breaks and tabs.
func textMember(at func(*wish) *string, most int) func(*wish, json.RawMessage) error {
	return func(w *wish, raw json.RawMessage) error {
		s, err := readText(raw, most)
		if err == nil {
			*at(w) = s
		}
		return err
	}
}

func readText(raw json.RawMessage, most int) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", errors.New("expected string")
	}
	s = strings.TrimSpace(s)
	return s, checkText(s, most)
}

func checkText(s string, most int) error {
	switch {
	case len(s) > most:
		return fmt.Errorf("longer than %d bytes", most)
	case strings.ContainsFunc(s, func(c rune) bool { return (c < ' ' || c >= 0x7f && c < 0xa0) && !strings.ContainsRune("\n\r\t", c) }):
		return errors.New("has control characters")
	}
	return nil
}

func flagMember(at func(*wish) *bool) func(*wish, json.RawMessage) error {
	return func(w *wish, raw json.RawMessage) error {
		if string(raw) != "true" && string(raw) != "false" {
			return errors.New("expected boolean")
		}
		*at(w) = string(raw) == "true"
		return nil
	}
}

func textsMember(at func(*wish) *map[string]string) func(*wish, json.RawMessage) error {
	return func(w *wish, raw json.RawMessage) error {
		var m map[string]string
		if json.Unmarshal(raw, &m) != nil {
			return errors.New("expected object of strings")
		}
		if len(m) > schemas.MaxVariables {
			return fmt.Errorf("more than %d members", schemas.MaxVariables)
		}
		for name, value := range m {
			if err := errors.Join(checkText(name, maxNameBytes), checkText(value, maxOptionBytes)); err != nil {
				return err
			}
		}
		if len(m) == 0 {
			m = nil
		}
		*at(w) = m
		return nil
	}
}

func readEvents(w *wish, raw json.RawMessage) error {
	var events []string
	if json.Unmarshal(raw, &events) != nil {
		return errors.New("expected array of strings")
	}
	if len(events) == 0 {
		return errors.New("at least one event is required")
	}
	if len(events) > maxWebhookEvents {
		return fmt.Errorf("more than %d events", maxWebhookEvents)
	}
	var once []string
	for _, e := range events {
		if e == "" || len(e) > maxPatternBytes || strings.ContainsFunc(e, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
			return fmt.Errorf("an event is a name or type of at most %d bytes, without blanks", maxPatternBytes)
		}
		if !slices.Contains(once, e) {
			once = append(once, e)
		}
	}
	w.Events = once
	return nil
}

func readServerID(w *wish, raw json.RawMessage) error {
	id, err := readText(raw, maxNameBytes)
	if err == nil && id != "" {
		w.ServerID = &id
	}
	return err
}

func readSource(w *wish, raw json.RawMessage) error {
	kind, err := readText(raw, maxNameBytes)
	if err != nil {
		return err
	}
	if kind != "" && kind != schemas.SelfSource && !slices.Contains(w.kinds, kind) {
		return fmt.Errorf("is none of: %s, %s", strings.Join(w.kinds, ", "), schemas.SelfSource)
	}
	w.Source = kind
	return nil
}

func readRate(w *wish, raw json.RawMessage) error {
	var rate float64
	if json.Unmarshal(raw, &rate) != nil {
		return errors.New("expected number")
	}
	if rate < 0 || rate > schemas.MaxRate || math.IsNaN(rate) {
		return fmt.Errorf("must be more than 0 and at most %d a second, or null", schemas.MaxRate)
	}
	w.Rate = rate
	return nil
}

// readDebounce reads how long a change waits: a text like 20s or 1m30s, or a
// number of seconds. Whole seconds; 0 and null: it does not wait.
func readDebounce(w *wish, raw json.RawMessage) error {
	const want = "must be from 1s to 1h in whole seconds, like 20s, or 0"
	var seconds float64
	var text string
	switch {
	case string(raw) == "null":
	case json.Unmarshal(raw, &seconds) == nil:
	case json.Unmarshal(raw, &text) != nil:
		return errors.New("expected string like 20s, or number of seconds")
	case strings.TrimSpace(text) != "":
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil {
			return errors.New(want)
		}
		seconds = d.Seconds()
	}
	if seconds < 0 || seconds > maxDebounce.Seconds() || seconds != math.Trunc(seconds) {
		return errors.New(want)
	}
	w.DebounceS = int(seconds)
	return nil
}
