package pluralkit

import (
	"strings"

	"switchlog/schemas"
)

// shownFields selects an object as PluralKit's API shows it to its owner, less its
// members, from a view with a readable column for each time. system is SQL for
// the short id of its system, which PluralKit has before the name of a member and
// after that of a group.
func shownFields(t *schemas.ObjectType, system string) string {
	var columns []string
	for _, name := range t.Names() {
		f := t.Field(name)
		switch {
		case name == "name" && t == schemas.PKMemberObject:
			columns = append(columns, system+" AS system", name)
		case name == "name" && t == schemas.PKGroupObject:
			columns = append(columns, name, system+" AS system")
		case f == nil && name != "uuid":
			continue
		case f != nil && f.Kind == schemas.Bool:
			columns = append(columns, name+" AS "+name+"_bool")
		case f != nil && f.Kind == schemas.List:
			columns = append(columns, name+" AS "+name+"_json")
		default:
			columns = append(columns, name)
		}
	}
	return strings.Join(columns, ", ")
}

// shownPrivacy selects the object "privacy", as the owner is shown it.
func shownPrivacy(t *schemas.ObjectType) string {
	var pairs []string
	for _, name := range t.PrivacySettings() {
		pairs = append(pairs, "'"+name+"', "+name)
	}
	return "json_object(" + strings.Join(pairs, ", ") + ") AS privacy_json"
}
