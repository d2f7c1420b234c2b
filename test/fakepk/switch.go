package fakepk

import (
	"slices"
	"time"
)

// A turn is a switch ("switch" is Go's word).
type turn struct {
	uuid    string
	at      time.Time // microseconds
	members []*member // in the order they were given; front order
}

// maxSwitchMembers is the bot's; the API has no limit.
const maxSwitchMembers = 150

// Switch is `pk;switch`: CREATE_SWITCH now. No members is a switch-out.
func (s *System) Switch(members ...string) (uuid string, err error) {
	err = s.do(func() error {
		list, err := s.switchMembers(members)
		if err != nil {
			return err
		}
		if len(list) > maxSwitchMembers {
			return ErrTooManyMembers
		}
		if latest := s.latest(); latest != nil && slices.Equal(latest.members, list) {
			return ErrSameMembers
		}
		uuid = s.createSwitch(list).uuid
		return nil
	})
	return uuid, err
}

// APISwitch is POST /switches without a timestamp.
func (s *System) APISwitch(members ...string) (uuid string, err error) {
	return s.apiSwitch(members, time.Time{})
}

// APISwitchAt is POST /switches with a timestamp, past or future: the row is made now and moved, and both are
// announced, CREATE_SWITCH with now and UPDATE_SWITCH with the time asked for, in no promised order.
func (s *System) APISwitchAt(at time.Time, members ...string) (uuid string, err error) {
	return s.apiSwitch(members, at)
}

func (s *System) apiSwitch(members []string, at time.Time) (uuid string, err error) {
	err = s.do(func() error {
		list, err := s.switchMembers(members)
		if err != nil {
			return err
		}
		if !at.IsZero() && s.timestampTaken(at) {
			return ErrTimestampTaken
		}
		latest := s.latest()
		if latest != nil && (at.IsZero() || at.After(latest.at)) && slices.Equal(latest.members, list) {
			return ErrSameMembers
		}
		t := s.createSwitch(list)
		uuid = t.uuid
		if !at.IsZero() {
			s.moveSwitch(t, at)
		}
		return nil
	})
	return uuid, err
}

func (s *System) switchMembers(uuids []string) ([]*member, error) {
	list, err := s.resolve(uuids)
	if err != nil {
		return nil, err
	}
	for i, m := range list {
		if slices.Contains(list[:i], m) {
			return nil, ErrDuplicateMembers
		}
	}
	return list, nil
}

// timestampTaken compares what was asked for, before the database truncates it. So two switches can end up on one
// timestamp: there is no unique constraint.
func (s *System) timestampTaken(at time.Time) bool {
	return slices.ContainsFunc(s.turns, func(t *turn) bool { return t.at.Equal(at) })
}

// latest is the switch with the greatest timestamp, future ones too; nil when there is none.
func (s *System) latest() *turn {
	if len(s.turns) == 0 {
		return nil
	}
	return newest(s.turns)[0]
}

func (s *System) createSwitch(list []*member) *turn {
	t := &turn{uuid: s.w.ids.uuid(), at: stored(s.w.now()), members: list}
	s.w.write(func() { s.turns = append(s.turns, t) })
	s.emit("CREATE_SWITCH", t.uuid, object{{"id", t.uuid}, {"timestamp", t.at}, {"members", dispatchOrder(list)}})
	return t
}

// dispatchOrder is how dispatch lists a switch's members: by an unordered lookup, so as they were created, not as
// they front.
func dispatchOrder(list []*member) []string {
	uuids := make([]string, 0, len(list))
	for _, m := range bySerial(list) {
		uuids = append(uuids, m.uuid)
	}
	return uuids
}

// moveSwitch announces the time as it was asked for, with up to nine digits; the row keeps six.
func (s *System) moveSwitch(t *turn, at time.Time) {
	s.w.write(func() {
		t.at = stored(at)
		s.turns = toEnd(s.turns, t)
	})
	s.emit("UPDATE_SWITCH", t.uuid, object{{"timestamp", at}})
}

func (s *System) setSwitchMembers(t *turn, list []*member) {
	s.w.write(func() { t.members = list }) // rows of another table: the switch stays where it is in the heap
	s.emit("UPDATE_SWITCH", t.uuid, object{{"members", dispatchOrder(list)}})
}

// onSwitch is an action on one switch; an empty uuid is the latest.
func (s *System) onSwitch(uuid string, f func(*turn) error) error {
	return s.do(func() error {
		t := find(s.turns, func(t *turn) bool { return t.uuid == uuid })
		if uuid == "" {
			t = s.latest()
		}
		if t == nil {
			return ErrNoSwitch
		}
		return f(t)
	})
}

// MoveSwitch is `pk;switch move`: the latest only, to between the one before it and now.
func (s *System) MoveSwitch(at time.Time) error {
	return s.onSwitch("", func(t *turn) error {
		if order := newest(s.turns); at.After(s.w.now()) || len(order) > 1 && !at.After(order[1].at) {
			return ErrMoveOutOfRange
		}
		s.moveSwitch(t, at)
		return nil
	})
}

// APIMoveSwitch is PATCH of a switch's timestamp: any switch, anywhere that is free, so history may be reordered.
func (s *System) APIMoveSwitch(uuid string, at time.Time) error {
	return s.onSwitch(uuid, func(t *turn) error {
		if s.timestampTaken(at) {
			return ErrTimestampTaken
		}
		s.moveSwitch(t, at)
		return nil
	})
}

// EditSwitch is `pk;switch edit`, or `edit out` with no members: the latest only.
func (s *System) EditSwitch(members ...string) error {
	return s.onSwitch("", func(t *turn) error {
		list, err := s.switchMembers(members)
		if err != nil {
			return err
		}
		if len(list) > maxSwitchMembers {
			return ErrTooManyMembers
		}
		s.setSwitchMembers(t, list)
		return nil
	})
}

// APIEditSwitch is PATCH of any switch's members.
func (s *System) APIEditSwitch(uuid string, members ...string) error {
	return s.onSwitch(uuid, func(t *turn) error {
		list, err := s.switchMembers(members)
		if err != nil {
			return err
		}
		s.setSwitchMembers(t, list)
		return nil
	})
}

// DeleteSwitch removes one switch, an empty uuid the latest: DELETE_SWITCH. Its neighbours extend.
func (s *System) DeleteSwitch(uuid string) error {
	return s.onSwitch(uuid, func(t *turn) error {
		s.w.write(func() { s.turns = without(s.turns, t) })
		s.emit("DELETE_SWITCH", t.uuid, nil)
		return nil
	})
}

// DeleteAllSwitches is `pk;switch delete all`: DELETE_ALL_SWITCHES.
func (s *System) DeleteAllSwitches() error {
	return s.do(func() error {
		s.w.write(func() { s.turns = nil })
		s.emit("DELETE_ALL_SWITCHES", nil, nil)
		return nil
	})
}
