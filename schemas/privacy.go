package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// This file is the privacy policy: what others than the owner see of a PluralKit
// system. The mirror of PluralKit's API, webhooks that are not owner-only and
// readers of what is public all follow it, by the tables of privacy_fields.go.
//
// Others see what PluralKit would show them, as far as PluralKit said that it is
// public, or implied it. What PluralKit neither said nor implied is private.
// PluralKit implies that a member or group is public whose CREATE says nothing
// of privacy: with "new members private" it names every setting. It implies
// nothing of one that is known only from a switch or an update.
//
// Functions named Public take what the owner sees and give what others see.
// Their objects are JSON with the fields of an ObjectType, in any order, null
// where nothing is known; a field that no table has is not shown. Errors wrap
// ErrInvalid, or are those of a PrivacyReader.

// Privacy is what is known of who may see a system or a member.
type Privacy struct {
	Settings map[string]string // public or private, by the setting's name; one that is not in it is not known
	Whole    bool              // the whole object was seen: a display name that is null is known to be none
}

// Open reports whether others may see what the setting guards.
func (p Privacy) Open(setting string) bool { return IsPublic(p.Settings[setting]) }

// IsPublic reports whether a privacy setting with that value opens what it
// guards. Empty: it is not known, so it does not.
func IsPublic(value string) bool { return value == public }

// A PrivacyReader knows the privacy of systems and members, as it is at the
// moment. Of what it has never seen, the zero Privacy.
type PrivacyReader interface {
	SystemPrivacy(system string) (Privacy, error)
	MemberPrivacy(system, member string) (Privacy, error)
}

// ShowsOthers reports whether others than the owner may see the field while its
// guard is open or not.
func (f *ObjectField) ShowsOthers(open bool) bool { return !f.OwnerOnly && (f.Guard == "" || open) }

// PublicSystem is a system as PluralKit shows it to all.
func PublicSystem(object json.RawMessage) (json.RawMessage, error) {
	return PKSystemObject.public(object, nil)
}

// PublicSettings are the settings of a system as PluralKit shows them to all.
func PublicSettings(object json.RawMessage) (json.RawMessage, error) {
	return PKSettingsObject.public(object, nil)
}

// PublicMember is a member as PluralKit shows it to all who ask for it by its id.
// Whether it is in lists is for PublicList.
func PublicMember(object json.RawMessage) (json.RawMessage, error) {
	return PKMemberObject.public(object, nil)
}

// PublicGroup is a group of the system as PluralKit shows it to all who ask for
// it by its id; its members, if the object has them, are those whom all may see
// in lists.
func PublicGroup(object json.RawMessage, system string, of PrivacyReader) (json.RawMessage, error) {
	return PKGroupObject.public(object, func(list json.RawMessage) (json.RawMessage, error) {
		return visibleMembers(list, system, of)
	})
}

// PublicList is a list of the system's members or groups as PluralKit shows it
// to all. It is not open if the system hides the list.
func PublicList(t *ObjectType, list []json.RawMessage, system string, of PrivacyReader) (public []json.RawMessage, open bool, err error) {
	if open, err = t.listOpen(system, of); err != nil || !open {
		return nil, false, err
	}
	public = []json.RawMessage{}
	for _, object := range list {
		shown, err := t.inList(object, system, of)
		if err != nil {
			return nil, false, err
		}
		if shown != nil {
			public = append(public, shown)
		}
	}
	return public, true, nil
}

// PublicFront is who fronts as PluralKit shows it to all: members that are
// hidden from lists are in it. It is not open if the system hides who fronts.
func PublicFront(front Front, of PrivacyReader) (public Front, open bool, err error) {
	system, err := of.SystemPrivacy(front.System)
	if err != nil || !system.Open(PKFrontPrivacy) {
		return Front{}, false, err
	}
	public = front
	public.Members = make([]Fronter, len(front.Members))
	for i, f := range front.Members {
		p, err := of.MemberPrivacy(front.System, f.UUID)
		if err != nil {
			return Front{}, false, err
		}
		public.Members[i] = publicFronter(f, p)
	}
	return public, true, nil
}

// publicFronter is a fronter with the fields that its table shows to all.
func publicFronter(f Fronter, p Privacy) Fronter {
	shown := Fronter{UUID: f.UUID}
	for _, field := range []struct {
		name string
		from *string
		to   **string
	}{
		{"id", f.ID, &shown.ID}, {"name", f.Name, &shown.Name}, {"display_name", f.DisplayName, &shown.DisplayName},
		{"pronouns", f.Pronouns, &shown.Pronouns}, {"color", f.Color, &shown.Color}, {"avatar_url", f.AvatarURL, &shown.AvatarURL},
	} {
		of := PKMemberObject.Field(field.name)
		switch {
		case of.ShowsOthers(p.Open(of.Guard)):
			*field.to = field.from
		case of.Stands:
			name := PublicName(f.DisplayName, f.Name, f.ID, f.UUID, p.Whole)
			*field.to = &name
		}
	}
	return shown
}

// PublicName stands for a name that is private: the display name, or the name
// itself if there is none, as PluralKit does it. That there is none is known
// only of an object that was seen whole; else it is the id: an update that gave
// it a display name to hide behind may have been lost. Nil: null.
func PublicName(displayName, name, id *string, uuid string, whole bool) string {
	switch {
	case displayName != nil:
		return *displayName
	case name != nil && whole:
		return *name
	case id != nil:
		return *id
	}
	return uuid
}

// publicChanges gives what others see of the objects of a change, by its type.
// Null: nothing.
var publicChanges = map[string]func(object json.RawMessage, system string, of PrivacyReader) (json.RawMessage, error){
	FrontChanged: func(object json.RawMessage, system string, of PrivacyReader) (json.RawMessage, error) {
		var front Front
		if err := json.Unmarshal(object, &front); err != nil {
			return nil, fmt.Errorf("%w: front: %w", ErrInvalid, err)
		}
		front.System = system
		front, open, err := PublicFront(front, of)
		if err != nil || !open {
			return nil, err
		}
		return json.Marshal(front)
	},
	MemberChanged: PKMemberObject.changed,
	GroupChanged:  PKGroupObject.changed,
	SystemChanged: func(object json.RawMessage, _ string, _ PrivacyReader) (json.RawMessage, error) {
		return PublicSystem(object)
	},
	SettingsChanged: func(object json.RawMessage, _ string, _ PrivacyReader) (json.RawMessage, error) {
		return PublicSettings(object)
	},
	SourceChanged: func(object json.RawMessage, _ string, _ PrivacyReader) (json.RawMessage, error) {
		return object, nil // how switchlog stands with PluralKit: nothing of the system is in it
	},
}

// HasPublic reports whether others than the owner may get events of a type at
// all. Of a PluralKit system they get changes, as PublicChange shows them.
// PluralKit's own events carry everything, and so does what its API said.
func HasPublic(typ string, r Route) bool {
	return r.Source != PluralKit || publicChanges[typ] != nil
}

// PublicChange is an event as others than the owner may see it; some is false
// if that is nothing: an event that only the owner gets, or a change of what is
// private alone. A change of a member or group is none while it is hidden from
// lists, or the system is known to hide the list. What is no PluralKit system's
// is as it was.
func PublicChange(e Event, of PrivacyReader) (public Event, some bool, err error) {
	show := publicChanges[e.Type]
	switch {
	case e.Route.Source != PluralKit:
		return e, true, nil
	case show == nil:
		return Event{}, false, nil
	}
	c, err := Decode[Change](e)
	if err != nil {
		return Event{}, false, err
	}
	for _, object := range []*json.RawMessage{&c.Before, &c.After} {
		if len(*object) > 0 && !IsNull(*object) {
			if *object, err = show(*object, e.Route.Tenant, of); err != nil {
				return Event{}, false, err
			}
		}
	}
	if bytes.Equal(orNull(c.Before), orNull(c.After)) {
		return Event{}, false, nil
	}
	e.Data, err = json.Marshal(c)
	return e, true, err
}

// changed is a member or group of a change: as it is shown by its id, unless it
// is hidden from lists or the system is known to hide the list. That nothing
// was said of the list does not close it here: a webhook is not a list, and
// each thing in it has a privacy of its own that was said or implied.
func (t *ObjectType) changed(object json.RawMessage, system string, of PrivacyReader) (json.RawMessage, error) {
	p, err := of.SystemPrivacy(system)
	if list := p.Settings[t.List]; err != nil || list != "" && !IsPublic(list) {
		return nil, err
	}
	return t.inList(object, system, of)
}

// listOpen reports whether the system shows lists of such objects to all.
func (t *ObjectType) listOpen(system string, of PrivacyReader) (bool, error) {
	p, err := of.SystemPrivacy(system)
	return p.Open(t.List), err
}

// inList is the object as others see it; nil if it is hidden from lists.
func (t *ObjectType) inList(object json.RawMessage, system string, of PrivacyReader) (json.RawMessage, error) {
	p, err := objectPrivacy(object)
	switch {
	case err != nil || !p.Open(t.Visibility):
		return nil, err
	case t == PKGroupObject:
		return PublicGroup(object, system, of)
	}
	return t.public(object, nil)
}

// objectPrivacy is the privacy of an object by its own settings.
func objectPrivacy(object json.RawMessage) (Privacy, error) {
	var o struct {
		Created json.RawMessage    `json:"created"`
		Privacy map[string]*string `json:"privacy"`
	}
	if err := json.Unmarshal(object, &o); err != nil {
		return Privacy{}, fmt.Errorf("%w: privacy: %w", ErrInvalid, err)
	}
	p := Privacy{Settings: make(map[string]string, len(o.Privacy)), Whole: !IsNull(orNull(o.Created))}
	for name, value := range o.Privacy {
		if value != nil {
			p.Settings[name] = *value
		}
	}
	return p, nil
}

// public is the object as others see it who ask for it by its id, with members
// of groups as members says.
func (t *ObjectType) public(object json.RawMessage, members func(json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	var all Object
	p, err := objectPrivacy(object)
	if err == nil {
		err = json.Unmarshal(object, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, t.Noun, err)
	}
	b := []byte{'{'}
	for _, name := range t.Names() {
		value, has := all[name]
		if !has {
			continue
		}
		switch f := t.Field(name); {
		case f == nil && name == "privacy":
			value = json.RawMessage("null")
		case f == nil && name == "members":
			if value, err = groupMembers(value, p, members); err != nil {
				return nil, err
			}
		case f == nil: // the uuid, which is no secret to who sees the object
		case f.OwnerOnly && t.Reduced:
			continue
		case f.ShowsOthers(p.Open(f.Guard)):
			if IsNull(value) && f.Closed != "" {
				value = json.RawMessage(f.Closed) // not known looks like private
			}
		case f.Stands:
			if value, err = standIn(all, p.Whole); err != nil {
				return nil, err
			}
		default:
			value = orNull(json.RawMessage(f.Closed))
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(append(b, '"'), name...), '"', ':'), value...)
	}
	return append(b, '}'), nil
}

// standIn is PublicName of an object.
func standIn(o Object, whole bool) (json.RawMessage, error) {
	var text [4]*string
	for i, name := range []string{"display_name", "name", "id", "uuid"} {
		if err := json.Unmarshal(orNull(o[name]), &text[i]); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
		}
	}
	if text[3] == nil {
		return nil, fmt.Errorf("%w: an object without uuid", ErrInvalid)
	}
	return json.Marshal(PublicName(text[0], text[1], text[2], *text[3], whole))
}

// groupMembers are the members of a group as others see them: none, if the group
// hides who is in it, or if that is not known.
func groupMembers(list json.RawMessage, p Privacy, visible func(json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	if !p.Open(PKGroupMembersPrivacy) || IsNull(orNull(list)) {
		return json.RawMessage("[]"), nil
	}
	return visible(list)
}

// visibleMembers are those of a list of uuids whom all may see in lists.
func visibleMembers(list json.RawMessage, system string, of PrivacyReader) (json.RawMessage, error) {
	var uuids []string
	if err := json.Unmarshal(list, &uuids); err != nil {
		return nil, fmt.Errorf("%w: members: %w", ErrInvalid, err)
	}
	visible := []string{}
	for _, uuid := range uuids {
		p, err := of.MemberPrivacy(system, uuid)
		if err != nil {
			return nil, err
		}
		if p.Open(PKVisibility) {
			visible = append(visible, uuid)
		}
	}
	return json.Marshal(visible)
}

// Field is the object's field of that name; nil: it has none.
func (t *ObjectType) Field(name string) *ObjectField {
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return &t.Fields[i]
		}
	}
	return nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}
