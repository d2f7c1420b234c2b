package pluralkit

import (
	"strings"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// Privacy reads what is known of who may see what, at the state that Tx reads. What
// follows from it is schemas.PublicChange's to say.
type Privacy struct{ Tx *engine.Tx }

var _ schemas.PrivacyReader = Privacy{}

var (
	systemPrivacy = selectPrivacy(schemas.PKSystemObject, "systems", "system_uuid = ?")
	memberPrivacy = selectPrivacy(schemas.PKMemberObject, "members", "system_uuid = ? AND uuid = ?")
)

// selectPrivacy reads the privacy settings of a row, and whether the object was
// ever seen whole: only then is it known when it was created.
func selectPrivacy(t *schemas.ObjectType, table, where string) string {
	return "SELECT " + strings.Join(t.PrivacySettings(), ", ") + ", created_us IS NOT NULL FROM " + table +
		" WHERE " + where + " AND deleted_us IS NULL"
}

// SystemPrivacy implements schemas.PrivacyReader.
func (p Privacy) SystemPrivacy(system string) (schemas.Privacy, error) {
	return p.read(schemas.PKSystemObject, systemPrivacy, system)
}

// MemberPrivacy implements schemas.PrivacyReader.
func (p Privacy) MemberPrivacy(system, member string) (schemas.Privacy, error) {
	return p.read(schemas.PKMemberObject, memberPrivacy, system, member)
}

func (p Privacy) read(t *schemas.ObjectType, query string, key ...any) (schemas.Privacy, error) {
	r, err := p.Tx.Get(query, key...)
	if err != nil || r == nil {
		return schemas.Privacy{}, err
	}
	settings := t.PrivacySettings()
	known := schemas.Privacy{Settings: make(map[string]string, len(settings)), Whole: r.Int(len(settings)) == 1}
	for i, name := range settings {
		if !r.Null(i) {
			known.Settings[name] = r.Text(i)
		}
	}
	return known, nil
}
