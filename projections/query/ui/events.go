package ui

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Event is an event of the log as the page of events needs it.
type Event struct {
	Seq     uint64
	Time    time.Time
	Type    string
	Subject string // uuid of what it is about
	Origin  string
	Data    json.RawMessage
}

// maxEvents is how many events a page has.
const maxEvents = 50

// eventRow is one event.
type eventRow struct {
	Seq     uint64
	At      moment
	Type    string // in words
	Code    string // as programs know it
	Who     *person
	Origin  string
	Details string // JSON; empty in discreet mode
}

type eventsData struct {
	Rows  []eventRow
	Older string
	First bool // these are the newest
}

func (h *Handler) eventsPage(v *visit) error {
	system, err := h.choose(v, "events", "Events")
	if err != nil {
		return err
	}
	if h.Events == nil {
		return errNotFound
	}
	d, err := h.eventsData(v, system)
	if err != nil {
		return err
	}
	h.render(v, 200, "events", d)
	return nil
}

func (h *Handler) eventsData(v *visit, system string) (eventsData, error) {
	before := uint64(0)
	d := eventsData{First: true}
	if text := v.r.URL.Query().Get("before"); text != "" {
		var err error
		if before, err = strconv.ParseUint(text, 10, 63); err != nil || before == 0 {
			return d, badRequest("before is the number of an event.")
		}
		d.First = false
	}
	events, err := h.Events(v.r.Context(), system, before, maxEvents)
	if err != nil {
		return d, err
	}
	members, err := h.members(v.r.Context(), system)
	if err != nil {
		return d, err
	}
	known := map[string]member{}
	for _, m := range members {
		known[m.UUID] = m
	}
	for _, e := range events {
		row := eventRow{Seq: e.Seq, At: v.view.At(e.Time), Type: eventWords(e.Type), Code: e.Type, Origin: originWords[e.Origin]}
		if m, ok := known[e.Subject]; ok {
			p := v.view.person(m)
			row.Who = &p
		}
		if !v.view.Discreet {
			row.Details = indent(e.Data)
		}
		d.Rows = append(d.Rows, row)
	}
	if len(events) == maxEvents {
		d.Older = v.view.Base + "/events?before=" + strconv.FormatUint(events[len(events)-1].Seq, 10)
	}
	return d, nil
}

// eventsStream sends the newest events again when there are new ones.
func (h *Handler) eventsStream(v *visit) error {
	system, err := h.choose(v, "events", "Events")
	if err != nil {
		return err
	}
	if h.Events == nil {
		return errNotFound
	}
	return h.stream(v, system, func() (string, error) {
		d, err := h.eventsData(v, system)
		if err != nil {
			return "", err
		}
		v.view.Data, v.view.Now = d, h.Now()
		var b bytes.Buffer
		err = h.pages.all["events"].ExecuteTemplate(&b, "events-live", &v.view)
		return b.String(), err
	})
}

// originWords say how an event came here.
var originWords = map[string]string{"webhook": "sent by PluralKit", "api": "found by asking PluralKit", "import": "from a file", "command": "a command here"}

// eventWords says a type for a person: me.pluralkit.member.update becomes
// "member update".
func eventWords(typ string) string {
	parts := strings.Split(typ, ".")
	words := strings.Join(parts[max(0, len(parts)-2):], " ")
	return capital(strings.ReplaceAll(words, "_", " "))
}

// maxDetails is how much of an event's data a page shows.
const maxDetails = 8 << 10

func indent(data json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, data, "", "  ") != nil {
		return ""
	}
	if b.Len() > maxDetails {
		return strings.ToValidUTF8(b.String()[:maxDetails], "") + "\n… (cut)"
	}
	return b.String()
}
