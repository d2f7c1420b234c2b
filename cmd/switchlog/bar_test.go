package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestBar: what a terminal shows of a long command; anything else is shown nothing.
func TestBar(t *testing.T) {
	const clear = "\r\x1b[K"
	for _, c := range []struct {
		p    progress
		want string
	}{
		{progress{Step: "lists", Done: 1, Total: 4}, clear + "lists      [" + strings.Repeat("#", 10) + strings.Repeat(" ", 30) + "] 1 of 4"},
		{progress{Step: "history", Done: 300}, clear + "history    300"},
		{progress{Step: "done", Done: 7, Total: 7, Outcome: &outcome{}}, clear + "done       [" + strings.Repeat("#", 40) + "] 7 of 7\n"},
		{progress{Step: "done", Outcome: &outcome{}}, clear + "done       0\n"},
		{progress{Reconciled: &reconciled{}}, clear},
	} {
		if got := bar(c.p); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.p, got, c.want)
		}
	}
	var b bytes.Buffer
	showBar(&b, progress{Step: "lists", Done: 1, Total: 4})
	if b.Len() != 0 {
		t.Errorf("not a terminal: got %q, want nothing", b.String())
	}
}
