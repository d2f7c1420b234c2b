package pluralkit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"switchlog/schemas"
)

// What the fold refuses is not said again and again. A fold is pure: the same
// observation of a thing of which the same is held changes nothing the second
// time either. So a Reconciler remembers what it said of a thing, and what was
// held of it then. After a restart it begins with the observations that the
// fold has set aside.

// maxSaid is of how many things that is remembered, 64 bytes each. A full look
// forgets those that have become what was said of them.
const maxSaid = 1000

// fingerprint stands for something that is only compared.
type fingerprint [16]byte

// said is what was said last of a thing.
type said struct {
	what    fingerprint
	held    fingerprint // what was held of it then; zero: not known, since it was said before the start
	askedUS int64
	by      *look // the last look that found the thing to be different
}

// heldState is what is held of a thing, and when that became known.
type heldState struct {
	is        fingerprint
	touchedUS int64
}

// entityState is what is held of a thing; nil: nothing.
func entityState(h *schemas.HeldEntity) heldState {
	if h == nil {
		return heldState{fingerprintOf("nothing"), 0}
	}
	return heldState{fingerprintOf(h), h.TouchedUS}
}

// switchState is entityState of a switch.
func switchState(h *schemas.HeldSwitch) heldState {
	if h == nil {
		return heldState{fingerprintOf("nothing"), 0}
	}
	return heldState{fingerprintOf(h), h.TouchedUS}
}

func fingerprintOf(v any) fingerprint {
	sum := sha256.Sum256(marshal(v))
	return fingerprint(sum[:16])
}

// sayingOf is which thing an observed or absent event is about, what it says
// of it, and when PluralKit was asked.
func sayingOf(e schemas.Event) (thing, what fingerprint, askedUS int64, err error) {
	d := json.NewDecoder(bytes.NewReader(e.Data))
	d.UseNumber()
	var data map[string]any
	if err := d.Decode(&data); err != nil {
		return thing, what, 0, fmt.Errorf("%w: %s: %w", schemas.ErrInvalid, e.Type, err)
	}
	asked, _ := data["asked"].(string)
	if askedUS, err = schemas.ParseTime(asked); err != nil {
		return thing, what, 0, fmt.Errorf("%s: asked: %w", e.Type, err)
	}
	delete(data, "asked")
	guild := data["guild"] // of an absent event
	if object, ok := data["object"].(map[string]any); ok {
		guild = object["guild_id"]
	}
	return fingerprintOf([]any{e.Route.Noun, e.Subject, guild}), fingerprintOf([]any{e.Type, data}), askedUS, nil
}

// say has a difference appended, unless the fold has refused the same before.
func (l *look) say(d difference) {
	thing, what, _, err := sayingOf(d.event)
	if err != nil {
		panic("pluralkit: an event of ours: " + err.Error())
	}
	if was, ok := l.r.sayings[thing]; ok {
		was.by = l
		l.r.sayings[thing] = was
		unchanged := was.held == d.held.is || was.held == fingerprint{} && d.held.touchedUS <= was.askedUS
		if was.what == what && unchanged {
			l.report.Refused++
			return
		}
	}
	l.out = append(l.out, d)
}

// remembered notes what was appended.
func (l *look) remembered(d difference) {
	thing, what, askedUS, err := sayingOf(d.event)
	if _, known := l.r.sayings[thing]; err == nil && (known || len(l.r.sayings) < maxSaid) {
		l.r.sayings[thing] = said{what, d.held.is, askedUS, l}
	}
}

// forgetTaken forgets what this look, which was a full one, did not find to be
// different any more.
func (l *look) forgetTaken() {
	for thing, was := range l.r.sayings {
		if was.by != l {
			delete(l.r.sayings, thing)
		}
	}
}

// recall begins with what the fold has set aside, once.
func (r *Reconciler) recall(ctx context.Context) error {
	if r.sayings != nil {
		return nil
	}
	events, err := r.c.SetAside(ctx, maxSaid)
	if err != nil {
		return own(err)
	}
	r.sayings = map[fingerprint]said{}
	for _, e := range events {
		thing, what, askedUS, err := sayingOf(e)
		if _, newer := r.sayings[thing]; err != nil || newer {
			continue // what cannot be read is said again
		}
		r.sayings[thing] = said{what: what, askedUS: askedUS}
	}
	return nil
}
