package projections

import (
	"strings"

	"switchlog/schemas"
)

// What others than its owner may see is schemas.PublicChange's to say; here is what
// is known of who may see what, at the state that tx reads.
var _ schemas.PrivacyReader = (*Tx)(nil)

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
func (tx *Tx) SystemPrivacy(system string) (schemas.Privacy, error) {
	return tx.privacy(schemas.PKSystemObject, systemPrivacy, system)
}

// MemberPrivacy implements schemas.PrivacyReader.
func (tx *Tx) MemberPrivacy(system, member string) (schemas.Privacy, error) {
	return tx.privacy(schemas.PKMemberObject, memberPrivacy, system, member)
}

func (tx *Tx) privacy(t *schemas.ObjectType, query string, key ...any) (schemas.Privacy, error) {
	r, err := tx.Get(query, key...)
	if err != nil || r == nil {
		return schemas.Privacy{}, err
	}
	settings := t.PrivacySettings()
	p := schemas.Privacy{Settings: make(map[string]string, len(settings)), Whole: r.Int(len(settings)) == 1}
	for i, name := range settings {
		if !r.Null(i) {
			p.Settings[name] = r.Text(i)
		}
	}
	return p, nil
}
