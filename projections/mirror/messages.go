package mirror

import (
	"errors"
	"strconv"
	"time"

	"switchlog/projections/engine"
)

const (
	messageColumns = `timestamp_us, id, original, sender, channel, guild, system_uuid, member_uuid`
	messageClaims  = `SELECT *, system_uuid AS system, NULL AS said FROM messages`
)

var (
	messageByID = `SELECT ` + messageColumns + ` FROM (` + claimed(messageClaims+` WHERE id = ?1 AND deleted_us IS NULL`) + `)`

	// There is no index of originals, so this reads all messages of the moment
	// the original is from.
	messageByOriginal = `SELECT ` + messageColumns + ` FROM (` + claimed(messageClaims+` WHERE id > ?1 AND id < ?3 AND length(id) = length(?1)
		AND original = ?1 AND deleted_us IS NULL`) + `)`
)

// originalLifetime is how long PluralKit finds a message by the id of what was
// written; proxyingTakes is how much later the proxied message is at most.
const (
	originalLifetime = 30 * time.Minute
	proxyingTakes    = 2 * time.Minute
)

func getMessage(q *request) ([]byte, error) {
	id := q.args[0]
	if !allDigits(id) {
		return nil, errBadRequest
	}
	m, err := q.tx.Get(messageByID, id, q.viewer.owns)
	if m == nil && err == nil {
		m, err = q.byOriginal(id)
	}
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, errNoMessage
	}
	b := appendInstant([]byte(`{"timestamp":`), m.Int(0))
	for i, name := range []string{"id", "original", "sender", "channel", "guild"} {
		if b = appendKey(b, name); m.Null(i + 1) { // the guild of an old one
			b = append(b, "null"...)
			continue
		}
		b = appendString(b, m.Text(i+1))
	}
	return q.appendAuthor(b, m.Text(6), m.Text(7))
}

// byOriginal finds a message of the last half hour by what was proxied.
func (q *request) byOriginal(id string) (engine.Row, error) {
	written := snowflakeTime(id)
	if age := q.now().Sub(written); age >= originalLifetime+proxyingTakes || len(id) > 20 {
		return nil, nil
	}
	n, err := strconv.ParseUint(id, 10, 63)
	if err != nil {
		return nil, nil // no id, it is too large
	}
	until := strconv.FormatUint(n+uint64(proxyingTakes.Milliseconds())<<22, 10)
	m, err := q.tx.Get(messageByOriginal, id, q.viewer.owns, until)
	if m == nil || q.now().Sub(snowflakeTime(m.Text(1))) >= originalLifetime {
		return nil, err
	}
	return m, nil
}

// nobody is the author of a message whose member, or system, is gone.
const nobody = `,"system":null,"member":null}`

// appendAuthor writes the rest of a message: its system and its member, or
// neither, if the member is gone.
func (q *request) appendAuthor(b []byte, systemUUID, memberUUID string) ([]byte, error) {
	m, err := q.tx.Get(memberOf, systemUUID, memberUUID)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return append(b, nobody...), nil
	}
	s, err := q.findSystem(systemByUUID, systemUUID)
	switch {
	case errors.Is(err, errNoSystem):
		return append(b, nobody...), nil
	case err != nil:
		return nil, err
	}
	b = systemShape.append(appendKey(b, "system"), s.row, eyes{owner: s.owner})
	b = memberShape.append(appendKey(b, "member"), m, eyes{owner: s.owner})
	return append(b, '}'), nil
}
