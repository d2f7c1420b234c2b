package pluralkit

import (
	"container/list"
	"slices"
	"strings"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

// PluralKit's fold works on Go values. For each system whose events come there
// is a tenant, which has what was loaded of the system's rows; SQL is for
// loading them, for writing those that changed, and for the few events that are
// about many rows at once.

// Limits of what is in memory.
const (
	maxStateBytes      = 48 << 20 // about, of all tenants
	maxWaitingMessages = 20_000
	maxWaitingSwitches = 5_000
	maxLine            = 128 // switches of a tenant's line; half of them stay when there are more
)

// pluralKitState is the name of the projection whose State is PluralKit's.
const pluralKitState = "systems"

// pluralKit is the State of PluralKit's projections.
type pluralKit struct {
	limit    int // of bytes, see maxStateBytes
	bytes    int // about what all tenants take
	tenants  map[string]*list.Element
	recent   *list.List // of *tenant, the latest used first
	messages int        // how many wait to be written, of all tenants
	switches int        // likewise

	rows, stints, inserts inserts // of switches, of their stints, and of messages
}

// NewState makes the State of PluralKit's projections. It keeps about so many bytes of
// systems in memory from one event to the next.
func NewState(maxBytes int) engine.State {
	s := &pluralKit{limit: maxBytes}
	s.Forget()
	return s
}

// Forget implements State.
func (s *pluralKit) Forget() {
	*s = pluralKit{limit: s.limit, tenants: map[string]*list.Element{}, recent: list.New(), rows: insertSwitch, stints: insertStint, inserts: insertMessage}
}

// Flush implements State. Tenants and rows come in the order of their keys:
// rows that are neighbours in the file are written together.
func (s *pluralKit) Flush(tx *engine.Tx) error {
	for _, t := range s.sorted() {
		if err := t.flush(tx); err != nil {
			return err
		}
	}
	if err := s.flushInserts(tx); err != nil {
		return err
	}
	return s.flushMessages(tx)
}

func (s *pluralKit) flushInserts(tx *engine.Tx) error {
	if err := s.rows.flush(tx); err != nil {
		return err
	}
	return s.stints.flush(tx)
}

// sorted is the tenants with something to write, in the order of their uuids.
func (s *pluralKit) sorted() []*tenant {
	var waiting []*tenant
	for at := s.recent.Front(); at != nil; at = at.Next() {
		if t := at.Value.(*tenant); t.waits() {
			waiting = append(waiting, t)
		}
	}
	slices.SortFunc(waiting, func(a, b *tenant) int { return strings.Compare(a.system, b.system) })
	return waiting
}

// Trim implements State.
func (s *pluralKit) Trim(tx *engine.Tx) error {
	if s.messages >= maxWaitingMessages {
		if err := s.flushMessages(tx); err != nil {
			return err
		}
	}
	if s.switches >= maxWaitingSwitches {
		for _, t := range s.sorted() {
			if err := t.storeSwitches(tx); err != nil {
				return err
			}
			t.trim()
		}
		if err := s.flushInserts(tx); err != nil {
			return err
		}
	}
	if s.bytes <= s.limit {
		return nil
	}
	if err := s.Flush(tx); err != nil {
		return err
	}
	for s.bytes > s.limit*3/4 && s.recent.Len() > 0 {
		s.drop(s.recent.Back().Value.(*tenant))
	}
	return nil
}

// drop forgets a tenant that has nothing to write.
func (s *pluralKit) drop(t *tenant) {
	s.bytes -= t.bytes
	s.recent.Remove(s.tenants[t.system])
	delete(s.tenants, t.system)
}

// on makes the Handler of a PluralKit event type: decode checks, fold changes
// the tenant the event is of.
func on[T any](decode func(schemas.Recorded) (T, error), fold func(*engine.Tx, *tenant, schemas.Recorded, T) error) engine.Handler {
	return engine.On(func(e schemas.Recorded) (T, error) {
		if err := merge.CheckID("systems", e.Route.Tenant); err != nil {
			var none T
			return none, err
		}
		return decode(e)
	}, func(tx *engine.Tx, e schemas.Recorded, d T) error {
		t, err := tenantOf(tx, e.Route.Tenant)
		if err != nil {
			return err
		}
		return fold(tx, t, e, d)
	})
}

// tenantOf is the tenant of a system's uuid.
func tenantOf(tx *engine.Tx, system string) (*tenant, error) {
	s := tx.State(pluralKitState).(*pluralKit)
	if at := s.recent.Front(); at != nil && at.Value.(*tenant).system == system {
		return at.Value.(*tenant), nil
	}
	if at, known := s.tenants[system]; known {
		s.recent.MoveToFront(at)
		return at.Value.(*tenant), nil
	}
	found, err := tx.Get(anyRowSQL, system)
	if err != nil {
		return nil, err
	}
	t := newTenant(s, strings.Clone(system), found.Int(0) == 0)
	s.tenants[t.system] = s.recent.PushFront(t)
	t.take(tenantBytes)
	return t, nil
}

// anyRowSQL finds out whether the file has anything of a system.
var anyRowSQL = func() string {
	var exists []string
	for _, table := range []string{"systems", "members", "switches", "messages", "groups", "accounts", "system_settings",
		"system_guilds", "member_guilds", "autoproxy", "switch_purges", "message_guilds"} {
		exists = append(exists, "EXISTS (SELECT 1 FROM "+table+" WHERE system_uuid = ?1)")
	}
	return "SELECT " + strings.Join(exists, " OR ")
}()
