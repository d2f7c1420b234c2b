package pluralkit

import (
	"context"
	"slices"
	"time"

	"switchlog/schemas"
)

// switches says those that the timeline has not as the file has them, newest
// first: so who fronts becomes different once at most.
//
// Where a switch of PluralKit's own is listed at that time there is nothing to
// say: it knows better.
func (i *importing) switches(ctx context.Context) error {
	i.out.Switches.Found = len(i.x.Switches)
	for list := range slices.Chunk(i.x.Switches, heldPage) {
		known, err := i.heldAt(ctx, list[0].AtUS, list[len(list)-1].AtUS)
		if err != nil {
			return err
		}
		for _, s := range list {
			if err := i.turn(ctx, s, known[s.AtUS]); err != nil {
				return err
			}
		}
	}
	return i.flush(ctx)
}

func (i *importing) turn(ctx context.Context, s ExportedSwitch, known *schemas.HeldSwitch) error {
	members, all := i.resolve(s.Members)
	switch {
	case known != nil && (!known.StandIn || all && sameMembers(known.Members, members)):
		i.out.Switches.Known++
		i.done++
		return nil
	case !all:
		i.out.Switches.Unnamed++
		i.done++
		return nil
	}
	id := schemas.StandInSwitch(i.c.System, s.AtUS)
	return i.say(ctx, schemas.SwitchImported, id, struct {
		ID        string   `json:"id"`
		Timestamp string   `json:"timestamp"`
		Members   []string `json:"members"`
	}{id, schemas.FormatTime(time.UnixMicro(s.AtUS)), sorted(members)})
}

// heldAt reads the timeline from a time back to another, both in it. Of
// several switches of one time, one of PluralKit's own counts.
func (i *importing) heldAt(ctx context.Context, fromUS, toUS int64) (map[int64]*schemas.HeldSwitch, error) {
	at := map[int64]*schemas.HeldSwitch{}
	for beforeUS, beforeID := fromUS+1, ""; ; {
		page, err := i.c.Known.HeldSwitches(ctx, i.c.System, beforeUS, beforeID, heldPage)
		if err != nil {
			return nil, err
		}
		for n := range page {
			us := *page[n].TimestampUS
			if us < toUS {
				return at, nil
			}
			if old := at[us]; old == nil || old.StandIn {
				at[us] = &page[n]
			}
		}
		if len(page) == 0 {
			return at, nil
		}
		last := page[len(page)-1]
		beforeUS, beforeID = *last.TimestampUS, last.ID
	}
}

// sorted is the list in an order of its own, since it has none.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
