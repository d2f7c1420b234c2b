package pluralkit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"switchlog/schemas"
)

// maxPairs is how many members are asked about in servers in one full look,
// besides those of whose settings we know. There may be thousands of pairs; a
// day's share begins where that of the day before ended.
const maxPairs = 500

// What is in a server where nothing was ever set: PluralKit makes such rows
// whenever it looks, for itself as for us.
var (
	systemGuildDefaults = schemas.Object{"proxying_enabled": []byte("true"), "tag_enabled": []byte("true")}
	memberGuildDefaults = schemas.Object{}
	autoproxyDefaults   = schemas.Object{"autoproxy_mode": []byte(`"off"`)}
)

// probe asks for what PluralKit lists nowhere, by the ids that we know.
func (l *look) probe(ctx context.Context, a answers) error {
	systems, proxies := map[string]*schemas.HeldEntity{}, map[string]*schemas.HeldEntity{}
	guilds := map[string]bool{}
	for _, id := range l.held.Guilds {
		guilds[id] = true
	}
	for i, h := range l.held.SystemGuilds {
		systems[h.Guild], guilds[h.Guild] = &l.held.SystemGuilds[i], true
	}
	for i, h := range l.held.Autoproxy {
		if h.Guild != "" && h.Channel == "" { // there is no asking for another
			proxies[h.Guild], guilds[h.Guild] = &l.held.Autoproxy[i], true
		}
	}
	for _, h := range l.held.MemberGuilds {
		guilds[h.Guild] = true
	}
	pairs, held := l.memberPairs(a.members, sortedKeys(guilds))
	done, total := 0, len(guilds)+len(pairs)+len(l.held.Accounts)
	step := func() { done++; l.tell(StepServers, done, total) }
	for _, guild := range sortedKeys(guilds) {
		if err := l.systemGuild(ctx, guild, systems[guild]); err != nil {
			return err
		}
		if err := l.autoproxy(ctx, guild, proxies[guild]); err != nil {
			return err
		}
		step()
	}
	for _, p := range pairs {
		if err := l.memberGuild(ctx, p, held[p]); err != nil {
			return err
		}
		step()
	}
	l.strayPairs(a)
	for i := range l.held.Accounts {
		if err := l.account(ctx, &l.held.Accounts[i]); err != nil {
			return err
		}
		step()
	}
	return l.flush(ctx)
}

// inGuild holds what was said of a server against what is held; said is nil
// when there is no row. A row of defaults that is not held is not worth an
// event; one that is held and not there was told of, but never written.
func (l *look) inGuild(noun, observed, absent, id, guild string, held *schemas.HeldEntity,
	said, defaults schemas.Object, fields []schemas.Field, asked time.Time) {
	nothing := held == nil || held.Gone
	switch {
	case nothing && (said == nil || len(differing(said, defaults, fields)) == 0):
	case said != nil:
		said = maps.Clone(said)
		said["guild_id"] = text(guild)
		l.entity(noun, observed, id, held, said, fields, asked)
	case fresh(held.TouchedUS, asked):
		l.later(noun)
	default:
		l.absent(noun, absent, id, asked, guild, entityState(held))
	}
}

func (l *look) systemGuild(ctx context.Context, guild string, held *schemas.HeldEntity) error {
	asked := l.r.asked()
	g, err := l.r.c.Client.SystemGuild(ctx, guild)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	l.inGuild("system_guild", schemas.SystemGuildObserved, schemas.SystemGuildAbsent, l.r.c.System, guild, held,
		g.JSON, systemGuildDefaults, schemas.PKSystemGuildFields, asked)
	return nil
}

// autoproxy: the API names the member by short id, webhooks by uuid. In front
// mode the API hides the member, so there it is unknown.
func (l *look) autoproxy(ctx context.Context, guild string, held *schemas.HeldEntity) error {
	asked := l.r.asked()
	p, err := l.r.c.Client.Autoproxy(ctx, guild)
	if err != nil {
		return err
	}
	said := tidy(p.JSON, schemas.PKAutoproxyFields)
	switch {
	case p.Mode == "front":
		delete(said, "autoproxy_member")
	case p.Member != "":
		id, known := l.hids[p.Member]
		if !known { // since the list of members was made
			l.again.members, l.again.probes = true, true
			return nil
		}
		said["autoproxy_member"] = text(string(id))
	}
	said["channel_id"] = []byte("null")
	l.inGuild("autoproxy", schemas.AutoproxyObserved, "", l.r.c.System, guild, held, said,
		autoproxyDefaults, schemas.PKAutoproxyFields, asked)
	return nil
}

type pair struct{ member, guild string }

// memberPairs are the pairs that are held, with what is held of them, and a
// day's share of all others.
func (l *look) memberPairs(members []Member, guilds []string) ([]pair, map[pair]*schemas.HeldEntity) {
	there := make(map[string]bool, len(members))
	for _, m := range members {
		there[string(m.UUID)] = true
	}
	held := map[pair]*schemas.HeldEntity{}
	var pairs, others []pair
	for i, h := range l.held.MemberGuilds {
		if there[h.ID] { // with a member that is gone its settings are
			held[pair{h.ID, h.Guild}] = &l.held.MemberGuilds[i]
			pairs = append(pairs, pair{h.ID, h.Guild})
		}
	}
	for _, id := range sortedKeys(there) {
		for _, guild := range guilds {
			if p := (pair{id, guild}); held[p] == nil {
				others = append(others, p)
			}
		}
	}
	return append(pairs, share(others, time.Now())...), held
}

// strayPairs says that the settings in servers are gone of members of whom nothing
// else is held and whom PluralKit does not list. With a member that is held and
// goes, its settings go.
func (l *look) strayPairs(a answers) {
	if a.askedMembers.IsZero() {
		return
	}
	known := byID(l.held.Members)
	listed := map[string]bool{}
	for _, m := range a.members {
		listed[string(m.UUID)] = true
	}
	for _, h := range l.held.MemberGuilds {
		switch {
		case h.Gone || known[h.ID] != nil || listed[h.ID]:
		case fresh(h.TouchedUS, a.askedMembers):
			l.later("member_guild")
		default:
			l.absent("member_guild", schemas.MemberGuildAbsent, h.ID, a.askedMembers, h.Guild, entityState(&h))
		}
	}
}

// share is the part of the pairs that is a day's turn.
func share(pairs []pair, now time.Time) []pair {
	if len(pairs) <= maxPairs {
		return pairs
	}
	day := int(now.Unix() / (24 * 60 * 60))
	from := day * maxPairs % len(pairs)
	return slices.Concat(pairs, pairs)[from : from+maxPairs]
}

func (l *look) memberGuild(ctx context.Context, p pair, held *schemas.HeldEntity) error {
	asked := l.r.asked()
	g, err := l.r.c.Client.MemberGuild(ctx, UUID(p.member), p.guild)
	var refused *APIError
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.Status == 404 && refused.Code == codeNoMemberRow:
	case errors.Is(err, ErrNotFound): // the member is gone, since the list was made
		l.again.members = true
		return nil
	default:
		return err
	}
	l.inGuild("member_guild", schemas.MemberGuildObserved, schemas.MemberGuildAbsent, p.member, p.guild, held,
		g.JSON, memberGuildDefaults, schemas.PKMemberGuildFields, asked)
	return nil
}

// account asks whose an account is that was ours once, or is. Whether autoproxy
// works for it cannot be asked for.
func (l *look) account(ctx context.Context, held *schemas.HeldEntity) error {
	asked := l.r.asked()
	owner, found, err := l.r.c.Client.SystemOf(ctx, held.ID)
	if err != nil {
		return err
	}
	linked := found && string(owner) == l.r.c.System
	switch {
	case linked == !held.Gone:
	case fresh(held.TouchedUS, asked):
		l.later("account")
	case linked:
		l.observed(difference{of: missing, noun: "account", id: held.ID, held: entityState(held)}, schemas.AccountObserved, schemas.Object{}, asked)
	default:
		l.absent("account", schemas.AccountAbsent, held.ID, asked, "", entityState(held))
	}
	return nil
}
