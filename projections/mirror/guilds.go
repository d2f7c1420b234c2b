package mirror

import "switchlog/projections/engine"

// ownSystem finds the system of the route for what only its owner may see.
func (q *request) ownSystem() (*system, error) {
	s, err := q.system(q.args[0])
	if err == nil && !s.owner {
		err = errForbidden
	}
	return s, err
}

var systemGuild = `SELECT ` + systemGuildShape.columns + ` FROM system_guilds e WHERE e.system_uuid = ? AND e.guild_id = ? AND e.deleted_us IS NULL`

func getSystemGuild(q *request) ([]byte, error) {
	s, err := q.ownSystem()
	if err != nil {
		return nil, err
	}
	if !allDigits(q.args[1]) {
		return nil, errBadRequest
	}
	return q.one(systemGuildShape, errNoSystemGuild, systemGuild, s.uuid, q.args[1])
}

const autoproxy = `SELECT a.autoproxy_mode, coalesce(m.id, a.autoproxy_member), a.last_latch_timestamp_us FROM autoproxy a
	LEFT JOIN members m ON m.system_uuid = a.system_uuid AND m.uuid = a.autoproxy_member
	WHERE a.system_uuid = ? AND a.guild_id = ? AND a.channel_id = ''`

// getAutoproxy knows autoproxy of servers only, like PluralKit. A server never
// heard of has it off. Here the member is a short id, and in front mode none.
func getAutoproxy(q *request) ([]byte, error) {
	s, err := q.ownSystem()
	guild := q.params.Get("guild_id")
	switch {
	case err != nil:
		return nil, err
	case !q.params.Has("guild_id") || q.params.Has("channel_id"):
		return nil, errUnimplemented
	case !allDigits(guild):
		return nil, errBadRequest
	}
	row, err := q.tx.Get(autoproxy, s.uuid, guild)
	if err != nil {
		return nil, err
	}
	if row == nil {
		row = make(engine.Row, 3)
	}
	mode := textOr(row, 0, "off")
	b := appendString([]byte(`{"autoproxy_mode":`), mode)
	if b = appendKey(b, "autoproxy_member"); row.Null(1) || mode == "front" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, row.Text(1))
	}
	if b = appendKey(b, "last_latch_timestamp"); row.Null(2) {
		b = append(b, "null"...)
	} else {
		b = appendInstant(b, row.Int(2))
	}
	return append(b, '}'), nil
}
