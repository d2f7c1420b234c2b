package pluralkit

import (
	"context"
	"fmt"
	"time"

	"switchlog/schemas"
)

// ImportConfig is what Import needs. All must be given but for Settled and
// Progress.
type ImportConfig struct {
	System  string // uuid: whose file it is
	Known   Known
	Append  Appender
	Settled func(ctx context.Context) error // as of ReconcilerConfig
	// Progress is told now and then how many of all things have been looked at.
	Progress func(done, total int)
}

// Imported says what became of a file.
type Imported struct {
	AsOf     time.Time
	Members  ImportedKind
	Groups   ImportedKind
	Switches ImportedKind
	Accounts ImportedKind
	Events   int // put into the log; what is known is among them if the file tells it anew
}

// ImportedKind counts what a file told of things of one kind.
type ImportedKind struct {
	Found   int // in the file
	New     int // never heard of before
	Known   int
	Unnamed int // left out: they, or who is in them, are named by a short id that nobody has
}

// importAhead is how far a file may be ahead of our clock. One that were
// further would undo what is still to happen.
const importAhead = time.Minute

// importBatch things of a file are appended at once.
const importBatch = 500

// Import puts into the log what the file tells, if it can be new to us. It
// stands for Export.AsOf, so nothing that happened later is undone.
//
// Stopped anywhere, it is completed by another: each event has its id from
// what it says, and is appended once. The error is schemas.ErrInvalid if the
// file is not this system's, or of the future.
func Import(ctx context.Context, c ImportConfig, x *Export) (Imported, error) {
	i := importing{c: c, x: x, out: Imported{AsOf: x.AsOf}, members: map[HID]UUID{}, groups: map[HID]UUID{}}
	if x.UUID != "" && string(x.UUID) != c.System {
		return i.out, bad("the file is of the system %s, and not of %s", x.UUID, c.System)
	}
	if ahead := time.Until(x.AsOf); ahead > importAhead {
		return i.out, bad("the file speaks of %s, which is yet to come (hint: is this machine's clock right?)", schemas.FormatTime(x.AsOf))
	}
	if c.Settled != nil {
		if err := c.Settled(ctx); err != nil {
			return i.out, fmt.Errorf("import: %w", err)
		}
	}
	held, err := c.Known.Held(ctx, c.System)
	if err == nil {
		err = i.things(ctx, held)
	}
	if err == nil {
		err = i.switches(ctx)
	}
	if err != nil {
		return i.out, fmt.Errorf("import: %w", err)
	}
	return i.out, nil
}

// importing is an import under way.
type importing struct {
	c    ImportConfig
	x    *Export
	out  Imported
	done int

	members, groups map[HID]UUID // whose short ids are whose

	batch []schemas.Event
}

// say adds an event to the batch.
func (i *importing) say(ctx context.Context, typ, subject string, object any) error {
	e, err := schemas.NewImported(typ, i.c.System, subject, i.x.AsOf, object)
	if err != nil {
		return err
	}
	i.batch = append(i.batch, e)
	if len(i.batch) < importBatch {
		return nil
	}
	return i.flush(ctx)
}

// flush appends the batch: switches alone, or none.
func (i *importing) flush(ctx context.Context) error {
	if len(i.batch) == 0 {
		return nil
	}
	fresh, err := i.c.Append.Append(ctx, i.batch...)
	if err != nil {
		return err
	}
	i.out.Events += fresh
	if i.batch[0].Type == schemas.SwitchImported {
		i.out.Switches.New += fresh
		i.out.Switches.Known += len(i.batch) - fresh
	}
	i.done += len(i.batch)
	i.batch = i.batch[:0]
	i.progress()
	return nil
}

func (i *importing) progress() {
	if i.c.Progress != nil {
		i.c.Progress(i.done, 2+len(i.x.Accounts)+len(i.x.Members)+len(i.x.Groups)+len(i.x.Switches))
	}
}

// count notes one that was found.
func (k *ImportedKind) count(known bool) {
	k.Found++
	if known {
		k.Known++
	} else {
		k.New++
	}
}

// things says everything but the switches.
func (i *importing) things(ctx context.Context, held schemas.Held) error {
	i.x.System["uuid"] = text(i.c.System)
	if err := i.say(ctx, schemas.SystemImported, i.c.System, i.x.System); err != nil {
		return err
	}
	if i.x.Settings != nil {
		if err := i.say(ctx, schemas.SettingsImported, i.c.System, i.x.Settings); err != nil {
			return err
		}
	}
	accounts := byID(held.Accounts)
	for _, id := range i.x.Accounts {
		i.out.Accounts.count(accounts[id] != nil)
		if err := i.say(ctx, schemas.AccountImported, id, schemas.Object{}); err != nil {
			return err
		}
	}
	if err := i.kind(ctx, schemas.MemberImported, i.x.Members, held.Members, i.members, &i.out.Members); err != nil {
		return err
	}
	if err := i.kind(ctx, schemas.GroupImported, i.x.Groups, held.Groups, i.groups, &i.out.Groups); err != nil {
		return err
	}
	return i.flush(ctx)
}

// kind says all members, or all groups, and learns their short ids. A file
// without uuids says whose one is if we know of one that is not gone and has
// that short id.
func (i *importing) kind(ctx context.Context, typ string, things []ExportedThing, held []schemas.HeldEntity, named map[HID]UUID, out *ImportedKind) error {
	known, short := byID(held), map[HID]UUID{}
	for id, h := range known {
		if hid, err := h.Object.Text("id"); err == nil && hid != "" && !h.Gone {
			short[HID(hid)] = UUID(id)
		}
	}
	for _, x := range things {
		id := x.UUID
		if id == "" {
			id = short[x.HID]
		}
		if id == "" {
			out.Found++
			out.Unnamed++
			continue
		}
		named[x.HID] = id
		out.count(known[string(id)] != nil)
		x.Object["uuid"] = text(string(id))
		if typ == schemas.GroupImported {
			// Without one of them the list would be another.
			if members, all := i.resolve(x.Members); all && x.Members != nil {
				x.Object["members"] = marshal(sorted(members))
			}
		}
		if err := i.say(ctx, typ, string(id), x.Object); err != nil {
			return err
		}
	}
	return nil
}

// resolve names members by their uuids, and reports whether it knew all.
func (i *importing) resolve(hids []HID) (members []string, all bool) {
	members = make([]string, 0, len(hids))
	for _, hid := range hids {
		id, known := i.members[hid]
		if !known {
			return nil, false
		}
		members = append(members, string(id))
	}
	return members, true
}
