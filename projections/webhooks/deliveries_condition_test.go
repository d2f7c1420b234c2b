package webhooks

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

func conditionEvent(data string) schemas.Event {
	return schemas.Event{
		ID: "e1", Source: "urn:test", Type: schemas.PKMemberUpdate, Subject: "mem-1", Data: json.RawMessage(data),
		Time:  time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC),
		Route: schemas.Route{Source: schemas.PluralKit, Tenant: "sys-1", Noun: "member", Verb: "update"},
	}
}

func TestConditionHolds(t *testing.T) {
	const data = `{"name":"Ä","n":3,"f":0.5,"big":18446744073709551616,"on":true,"none":null,
		"list":[1,2.5,"x"],"after":{"members":[{"name":"A"},{"name":"B"}]},"z":1,"y":2,"x":3}`
	for _, test := range []struct {
		expr string
		want bool
	}{
		{``, true},
		{`true`, true},
		{`type == "me.pluralkit.member.update"`, true},
		{`source == "pluralkit" && tenant == "sys-1" && subject == "mem-1" && id == "e1"`, true},
		{`time > timestamp("2026-01-01T00:00:00Z") && time.getHours() == 9`, true},
		{`data.name == "Ä" && data.n == 3 && data.f == 0.5 && data.on`, true},
		{`data.n > 2.5 && data.n < 4`, true},
		{`data.big > 1.0e19`, true},
		{`data.none == null`, true},
		{`data.list.exists(x, x == "x") && size(data.list) == 3`, true},
		{`data.after.members.exists(m, m.name == "B")`, true},
		{`has(data.after.nobody)`, false},
		{`"name" in data`, true},
		{`data.name.matches("^[A-Ä]$")`, true},
		{`data.missing == 1`, false},           // it cannot be answered
		{`data.missing == 1 || true`, true},    // it can
		{`data.name`, false},                   // no answer of ours
		{`data.name > 3`, false},               // no such comparison
		{`data.map(k, k)[0] == "after"`, true}, // members come in the order of their names
		{`data.filter(k, k.size() == 1)[0] == "f"`, true},
		{`[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, a * b > 0))`, true},
		{`data.list[7] == 1`, false},
	} {
		c, err := compile(test.expr)
		if err != nil {
			t.Errorf("%s: %v", test.expr, err)
			continue
		}
		for range 20 { // an order that Go makes up would show
			if got := c == nil || c.holds(variables(conditionEvent(data))); got != test.want {
				t.Errorf("%s: got %v, want %v", test.expr, got, test.want)
				break
			}
		}
	}
}

func TestConditionOfAnyData(t *testing.T) {
	c, err := compile(`data == null`)
	if err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]bool{``: true, `null`: true, `"text"`: false, `[]`: false, `1e999`: false} {
		if got := c.holds(variables(conditionEvent(data))); got != want {
			t.Errorf("%s: got %v, want %v", data, got, want)
		}
	}
}

func TestCheckCondition(t *testing.T) {
	for name, expr := range map[string]string{
		"no CEL":                   `type ==`,
		"unknown variable":         `now > time`,
		"not true or false":        `"yes"`,
		"a number":                 `1 + 1`,
		"a time zone by name":      `time.getHours("Europe/Berlin") > 8`,
		"the same of seconds":      `time.getSeconds("Europe/Berlin") > 8`,
		"a broken pattern":         `type.matches("(")`,
		"a broken time":            `time > timestamp("yesterday")`,
		"too long":                 `type == "` + strings.Repeat("x", schemas.MaxConditionBytes) + `"`,
		"too deep":                 strings.Repeat("(", 1000) + "true" + strings.Repeat(")", 1000),
		"too many loops in a loop": `[1].all(a, [1].all(b, [1].all(c, [1].all(d, a == d))))`,
		"two lines":                "type == \"x\"\n\x00",
	} {
		err := CheckCondition(expr)
		if !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%s: got %v, want schemas.ErrInvalid", name, err)
		} else if len(err.Error()) > 250 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got an error that fits no line: %q", name, err)
		}
	}
}

// TestConditionEnds: what would go on for long comes to an end, and counts as
// not true, in a time that is nothing to a fold.
func TestConditionEnds(t *testing.T) {
	list := "[" + strings.Repeat("1,", 5000) + "1]"
	c, err := compile(`data.all(a, data.all(b, a + b > 0))`)
	if err != nil {
		t.Fatal(err)
	}
	e := conditionEvent(list)
	begun := time.Now()
	if c.holds(variables(e)) {
		t.Error("got true, want it cut short")
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %v, want milliseconds", took)
	}
}

func FuzzCheckCondition(f *testing.F) {
	f.Add(`data.name == "x"`)
	f.Add(`[1,2].exists(a, a == data.n) || time.getHours() > 3`)
	f.Add(`{"a": 1}.map(k, k)[0] + b"\xff" == ''`)
	e := conditionEvent(`{"name":"x","n":1,"list":[1,2,{"a":null}]}`)
	f.Fuzz(func(t *testing.T, expr string) {
		c, err := compile(expr)
		if err != nil {
			if !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("got %v, want schemas.ErrInvalid", err)
			}
			return
		}
		if c == nil {
			return
		}
		if once, again := c.holds(variables(e)), c.holds(variables(e)); once != again {
			t.Errorf("%q: %v once and then %v", expr, once, again)
		}
	})
}
