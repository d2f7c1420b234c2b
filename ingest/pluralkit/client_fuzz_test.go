package pluralkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

const (
	exMember = `{"id":"abvenk","uuid":"0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1","system":"kfazoe","name":"Alder","display_name":null,"color":"3a7d44","birthday":"0004-02-29","pronouns":"he/him","avatar_url":null,"webhook_avatar_url":null,"banner":null,"description":null,"created":"2021-03-15T18:00:01.25Z","keep_proxy":false,"tts":false,"autoproxy_enabled":true,"message_count":4182,"last_message_timestamp":"2025-11-28T16:55:12.0182047Z","proxy_tags":[{"prefix":"a:","suffix":null}],"privacy":{"visibility":"public"}}`
	exSwitch = `{"id":"c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01","timestamp":"2025-11-28T17:01:44.2710939Z","members":["abvenk","bzytok"]}`
)

// TestMicroseconds: more digits than PluralKit stores are cut off.
func TestMicroseconds(t *testing.T) {
	s, err := decodeSwitch([]byte(exSwitch))
	want := time.Date(2025, 11, 28, 17, 1, 44, 271093000, time.UTC)
	if err != nil || !s.At.Equal(want) {
		t.Errorf("got %v, %v, want %v", s.At, err, want)
	}
	m, err := decodeMember([]byte(exMember))
	if err != nil {
		t.Fatal(err)
	}
	last := time.Date(2025, 11, 28, 16, 55, 12, 18204000, time.UTC).UnixMicro()
	if got, _ := m.value("last_message_timestamp"); got != last {
		t.Errorf("got %v, want %v", got, last)
	}
}

// TestShapes: each member in the wrong form is noticed, and not quoted.
func TestShapes(t *testing.T) {
	const marker = "5ecre7"
	type change struct{ from, to string }
	decoders := map[string]struct {
		body    string
		decode  func([]byte) error
		changes []change
	}{
		"members": {"[" + exMember + "]", decodeErr(decodeMembers), []change{
			{`"abvenk"`, `"` + marker + `"`}, {`"abvenk"`, `null`}, {`"0b6c`, `"zb6c`}, {`"uuid"`, `"guid"`}, {`"Alder"`, `["` + marker + `"]`},
			{`"2021-03-15T18:00:01.25Z"`, `"` + marker + `"`}, {`4182`, `41.82` + "001"}, {`"public"`, `1`}, {`{"visibility":"public"}`, `"` + marker + `"`},
			{`"kfazoe"`, `"7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"`}, {`[{"prefix":"a:","suffix":null}]`, `"` + marker + `"`}, {`}}]`, `}},null]`},
		}},
		"switches": {"[" + exSwitch + "]", decodeErr(decodeSwitches), []change{
			{`"abvenk"`, `"0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"`}, {`"abvenk"`, `null`}, {`"abvenk"`, exMember}, {`["abvenk","bzytok"]`, `null`},
			{`"members"`, `"people"`}, {`"2025-11-28T17:01:44.2710939Z"`, `"` + marker + `"`}, {`"2025-11-28T17:01:44.2710939Z"`, `null`}, {`"id"`, `"uuid"`},
		}},
	}
	for name, d := range decoders {
		if err := d.decode([]byte(d.body)); err != nil {
			t.Errorf("%s: got %v for what is as it should be", name, err)
		}
		for _, c := range d.changes {
			body := strings.Replace(d.body, c.from, c.to, 1)
			err := d.decode([]byte(body))
			if body == d.body || !json.Valid([]byte(body)) || !errors.Is(err, schemas.ErrInvalid) || strings.Contains(fmt.Sprint(err), marker) {
				t.Errorf("%s: %s for %s: got %v, want invalid, and nothing quoted", name, c.to, c.from, err)
			}
		}
	}
}

func decodeErr[T any](decode func([]byte) (T, error)) func([]byte) error {
	return func(body []byte) error {
		_, err := decode(body)
		return err
	}
}

func FuzzMembers(f *testing.F) {
	f.Add([]byte("[" + exMember + "]"))
	f.Add([]byte("[]"))
	f.Add([]byte("null"))
	f.Add([]byte(`[{"id":"a","uuid":"0B6C2A9E-55d1-4b0c-8f3a-91c7de20a4f1","privacy":null}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := decodeMembers(body)
		if err != nil {
			if !errors.Is(err, schemas.ErrInvalid) && !errors.Is(err, ErrAnonymous) {
				t.Errorf("got %v, want invalid or anonymous", err)
			}
			return
		}
		for _, m := range members {
			if id, err := ParseUUID(string(m.UUID)); id != m.UUID || err != nil || m.HID == "" || m.JSON == nil {
				t.Errorf("got %+v, want an id of each kind", m)
			}
			if text, err := json.Marshal(m.JSON); err != nil || !json.Valid(text) {
				t.Errorf("got %s, %v, want JSON", text, err)
			}
		}
	})
}

func FuzzSwitches(f *testing.F) {
	f.Add([]byte("[" + exSwitch + "]"))
	f.Add([]byte("[]"))
	f.Add([]byte(`[{"id":"c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01","timestamp":"2025-11-28T17:01:44+01:00","members":[]}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		switches, err := decodeSwitches(body)
		if err != nil {
			if !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("got %v, want invalid", err)
			}
			return
		}
		for _, s := range switches {
			if key(s.UUID) == [16]byte{} && strings.Trim(string(s.UUID), "0-") != "" || s.Members == nil || s.At.Nanosecond()%1000 != 0 {
				t.Errorf("got %+v, want a uuid, members and microseconds", s)
			}
		}
	})
}

// FuzzRest reads the same bytes as everything else there is.
func FuzzRest(f *testing.F) {
	f.Add([]byte(exMember))
	f.Add([]byte(`{"id":"kfazoe","uuid":"7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311","name":null,"webhook_url":null,"privacy":{}}`))
	f.Add([]byte(`[{"id":"gnohev","uuid":"a1d0c3e5-9e8f-4a7b-8c6d-5e4f3a2b1c90","name":"G","members":["0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"],"privacy":{}}]`))
	f.Add([]byte(`{"id":"c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01","timestamp":"2025-11-28T17:01:44Z","members":[` + exMember + `]}`))
	f.Add([]byte(`{"timezone":"UTC","member_limit":1000,"latch_timeout":null}`))
	f.Add([]byte(`{"autoproxy_mode":"member","autoproxy_member":"abvenk","last_latch_timestamp":null}`))
	f.Add([]byte(`{"timestamp":"2025-11-28T16:20:28Z","id":"1","original":"","sender":"2","channel":"3","guild":null,"system":null,"member":null}`))
	f.Add([]byte(`{"display_name":null,"avatar_url":null,"keep_proxy":null}`))
	decoders := map[string]func([]byte) error{
		"system": decodeErr(decodeSystem), "settings": decodeErr(decodeSettings), "groups": decodeErr(decodeGroups),
		"switch": decodeErr(decodeFullSwitch), "fronters": decodeErr(decodeFronters), "message": decodeErr(decodeMessage),
		"uuid":         decodeErr(decodeSystemUUID),
		"system guild": decodeErr(func(b []byte) (GuildSettings, error) { return decodeSystemGuild("1", b) }),
		"member guild": decodeErr(func(b []byte) (GuildSettings, error) { return decodeMemberGuild("", "1", b) }),
		"autoproxy":    decodeErr(func(b []byte) (Autoproxy, error) { return decodeAutoproxy("1", b) }),
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, decode := range decoders {
			if err := decode(body); err != nil && !errors.Is(err, schemas.ErrInvalid) && !errors.Is(err, ErrAnonymous) {
				t.Errorf("%s: got %v, want invalid or anonymous", name, err)
			}
		}
	})
}
