package fakepk

import "slices"

// A Delivery is one body that PluralKit's dispatcher makes for one webhook. PluralKit sends each of them once, at
// any later moment, in any order.
type Delivery struct {
	N      int    // 1, 2, …: the order in which they were made, over all systems
	Action int    // which action made it; the events of one action have the same
	System string // uuid of the system, also where the body has null
	URL    string
	Type   string
	ID     string // the envelope's id, "" for null
	First  bool   // sent before its write, or before that is committed
	Body   []byte
}

// event is what an action announces.
type event struct {
	kind     string
	id       any // string or nil
	data     any // object or nil
	noSystem bool
	first    bool
}

// emit sends an event after its write.
func (s *System) emit(kind string, id, data any) { s.send(event{kind: kind, id: id, data: data}) }

// announce is emit for the updates of a system, member or group, which are not sent when nothing would be in them.
func (s *System) announce(kind string, id any, data object) {
	s.announceEvent(event{kind: kind, id: id, data: data})
}

func (s *System) announceEvent(e event) {
	if data, ok := e.data.(object); ok && len(data) > 0 && !s.w.chance(s.w.conf.Odds.EditLost) {
		s.send(e)
	}
}

// sendFirst sends, then writes: the order of UPDATE_MEMBER, UPDATE_MEMBER_GUILD and UPDATE_AUTOPROXY. When the write
// fails the event was a phantom. An event about nothing is not sent, except an account's.
func (s *System) sendFirst(e event, write func()) error {
	e.first = true
	if e.kind == "UPDATE_MEMBER" {
		s.announceEvent(e)
	} else {
		s.send(e)
	}
	if s.w.chance(s.w.conf.Odds.WriteFails) {
		return ErrWriteFailed
	}
	s.w.write(write)
	return nil
}

func (s *System) send(e event) {
	if s.webhook == "" {
		return
	}
	d := Delivery{
		Action: s.w.action, System: s.uuid, URL: s.webhook, Type: e.kind, First: e.first,
		Body: envelope(e, s.signing, s.uuid),
	}
	d.ID, _ = e.id.(string)
	s.w.hand(d)
}

// envelope is the body of an event: five keys, in this order, always there.
func envelope(e event, token, system string) []byte {
	o := object{{"type", e.kind}, {"signing_token", token}, {"system_id", system}, {"id", e.id}, {"data", e.data}}
	if e.noSystem {
		o[2].value = nil
	}
	return appendJSON(nil, o)
}

// hand gives a delivery to whoever takes them.
func (w *World) hand(d Delivery) {
	w.out.Lock()
	w.sent++
	d.N = w.sent
	sink := w.sink
	if sink == nil {
		w.queue = append(w.queue, d)
	}
	w.out.Unlock()
	if sink != nil {
		sink(d)
	}
}

// Deliveries takes what was made since the last call, in the order it was made. It is empty while a Dispatcher is
// attached.
func (w *World) Deliveries() []Delivery {
	w.out.Lock()
	defer w.out.Unlock()
	taken := w.queue
	w.queue = nil
	return taken
}

// Dispatch gives every delivery from now on to f, in the goroutine of the action and for the kinds that are sent first
// before the write; nil goes back to keeping them for Deliveries. f must not act on the world, but may read it.
func (w *World) Dispatch(f func(Delivery)) {
	w.out.Lock()
	defer w.out.Unlock()
	w.sink = f
}

// UpdateGroupMembersBody is what PluralKit would send for a change of a group's members, were its emitter ever called:
// nobody's token, nobody's group. No action makes it.
func UpdateGroupMembersBody(system string) []byte {
	return appendJSON(nil, object{{"type", "UPDATE_GROUP_MEMBERS"}, {"signing_token", nil}, {"system_id", system},
		{"id", nil}, {"data", nil}})
}

// pingBody is a PING: three keys, no id and no data. The operator's script puts spaces in.
func pingBody(token, system string, spaced bool) []byte {
	b := appendJSON(nil, object{{"type", "PING"}, {"signing_token", token}, {"system_id", system}})
	if !spaced {
		return b
	}
	var out []byte
	for i, c := range b {
		out = append(out, c)
		if c == ':' && b[i-1] == '"' || c == ',' {
			out = append(out, ' ')
		}
	}
	return slices.Clip(out)
}
