package mirror

import (
	"slices"

	"switchlog/schemas"
)

// The objects of PluralKit's API v2, by the tables of package schemas: the order
// of members, which is part of what PluralKit shows, who sees which, and what
// stands for what nobody has said yet where PluralKit never has null.

var (
	systemShape = shapeOf(schemas.PKSystemObject).add(part{name: "webhook_url", kind: webhook}, "").prepare()
	memberShape = shapeOf(schemas.PKMemberObject).add(part{name: "system", kind: systemID}, "name").prepare()
	groupShape  = shapeOf(schemas.PKGroupObject).add(part{name: "system", kind: systemID}, "display_name").prepare()

	// settingsShape is what PluralKit's gateway answers: it has no
	// card_show_color_hex, and the default of a name format that is not set.
	settingsShape = shapeOf(schemas.PKSettingsObject).only(func(p part) bool { return p.name != "card_show_color_hex" }).prepare()

	// publicSettingsShape is what others are shown of the settings.
	publicSettingsShape = settingsShape.only(func(p part) bool { return !p.field.OwnerOnly }).prepare()

	systemGuildShape = shapeOf(&schemas.ObjectType{Fields: []schemas.ObjectField{
		{Field: schemas.Field{Name: "proxying_enabled", Kind: schemas.Bool}, Unknown: "true"},
		{Field: schemas.Field{Name: "tag"}},
		{Field: schemas.Field{Name: "tag_enabled", Kind: schemas.Bool}, Unknown: "true"},
		{Field: schemas.Field{Name: "avatar_url"}},
		{Field: schemas.Field{Name: "display_name"}},
		{Field: schemas.Field{Name: "name_format"}},
	}}).prepare()

	memberGuildShape = shapeOf(&schemas.ObjectType{Fields: []schemas.ObjectField{
		{Field: schemas.Field{Name: "display_name"}},
		{Field: schemas.Field{Name: "avatar_url"}},
		{Field: schemas.Field{Name: "keep_proxy", Kind: schemas.Bool}},
	}}).prepare()
)

// pictures are the fields whose addresses PluralKit's API writes in its own way,
// of objects that have an id.
var pictures = []string{"avatar_url", "webhook_avatar_url", "banner", "icon"}

// shapeOf is the shape of an object, as its table has it.
func shapeOf(t *schemas.ObjectType) shape {
	s := shape{privacy: t.PrivacySettings()}
	for _, name := range t.Names() {
		switch f := t.Field(name); {
		case name == "privacy":
		case name == "uuid":
			s.parts = append(s.parts, part{name: name})
		case name == "members":
			s.parts = append(s.parts, part{name: name, kind: groupList})
		default:
			s.parts = append(s.parts, part{name: name, kind: kindOfField(f, t.Field("id") != nil), field: *f})
		}
	}
	return s
}

func kindOfField(f *schemas.ObjectField, hasID bool) kind {
	switch {
	case f.Name == "id":
		return shortID
	case f.Name == "proxy_tags":
		return tags
	case hasID && slices.Contains(pictures, f.Name):
		return picture
	}
	return map[schemas.Kind]kind{schemas.Text: text, schemas.Time: instant, schemas.Bool: flag, schemas.Int: number, schemas.List: list}[f.Kind]
}

// add puts a part before the one of a name; empty: at the end.
func (s shape) add(p part, before string) shape {
	i := slices.IndexFunc(s.parts, func(p part) bool { return p.name == before })
	if i < 0 {
		i = len(s.parts)
	}
	s.parts = slices.Insert(slices.Clone(s.parts), i, p)
	return s
}

// only is the shape with those of its parts.
func (s shape) only(want func(part) bool) shape {
	s.parts = slices.DeleteFunc(slices.Clone(s.parts), func(p part) bool { return !want(p) })
	return s
}
