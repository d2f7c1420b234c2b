package schemas

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// discordExamples makes an event of every webhook body in testdata but the
// ping, as a source makes it that keeps message content; n is how many
// examples there are already.
func discordExamples(t *testing.T, n int) []example {
	files, err := filepath.Glob("testdata/discord/*.json")
	if err != nil || len(files) != 19 {
		t.Fatalf("%d webhook bodies, want 19 (%v)", len(files), err)
	}
	var all []example
	for _, file := range files {
		var body struct {
			Type  int `json:"type"`
			Event struct {
				Type      string          `json:"type"`
				Timestamp string          `json:"timestamp"`
				Data      json.RawMessage `json:"data"`
			} `json:"event"`
		}
		read(t, file, &body)
		if body.Type == 0 {
			continue
		}
		variant := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(file), ".json"), strings.ToLower(body.Event.Type))
		if variant = strings.Trim(variant, "."); variant == "" || strings.Contains(variant, ".") {
			variant = "basic"
		}
		all = append(all, discordExample(t, variant, n+len(all), body.Event.Type, body.Event.Timestamp, body.Event.Data))
	}
	return all
}

func discordExample(t *testing.T, variant string, n int, name, timestamp string, data json.RawMessage) example {
	typ, known := DiscordType(name)
	at, err := ParseDiscordTime(timestamp)
	if err != nil {
		t.Fatal(err)
	}
	e := Event{
		ID:         exampleID(typ, variant, n),
		Source:     DiscordApplicationURL + exampleApplication,
		Type:       typ,
		Time:       exampleTime(n),
		Origin:     OriginWebhook,
		Extensions: map[string]any{DiscordTimeExtension: FormatTime(at)},
		Route:      DiscordRoute(typ, exampleApplication),
	}
	if !known {
		e.Extensions[DiscordTypeExtension] = name
	} else {
		e.DataSchema = SchemaID(typ)
	}
	if data == nil {
		return example{variant, e}
	}
	var object struct {
		ID   string
		User struct{ ID string }
	}
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	e.Subject = object.ID + object.User.ID
	if strings.HasSuffix(typ, "message.delete") {
		var members Object
		if err := json.Unmarshal(data, &members); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"content", "attachments", "components"} {
			delete(members, text)
		}
		data = raw(t, members)
	}
	e.Data = data
	return example{variant, e}
}

func TestParseDiscordTime(t *testing.T) {
	want := time.Date(2026, 3, 14, 9, 1, 40, 733_210_000, time.UTC)
	for _, s := range []string{
		"2026-03-14T09:01:40.733210", "2026-03-14T09:01:40.733210+00:00", "2026-03-14T09:01:40.7332109Z", "2026-03-14T11:01:40.73321+02:00",
	} {
		if got, err := ParseDiscordTime(s); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: got %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "yesterday", "2026-03-14", "1773475200", "2026-03-14T09:01:40+"} {
		if got, err := ParseDiscordTime(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: got %v, %v, want invalid", s, got, err)
		}
	}
}
