package pluralkit

import (
	"fmt"

	"switchlog/schemas"
)

// observed reads an observed event: the object, those of the fields that it
// has, and the time it stands for.
func observed(e schemas.Recorded, fields []schemas.Field) (schemas.Object, []schemas.Value, int64, error) {
	o, err := schemas.Decode[schemas.Observed](e.Event)
	if err != nil {
		return nil, nil, 0, err
	}
	us, err := schemas.ParseTime(o.Asked)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%s: asked: %w", e.Type, err)
	}
	if o.Object == nil {
		return nil, nil, 0, fmt.Errorf("%w: %s: no object", schemas.ErrInvalid, e.Type)
	}
	values, err := o.Object.Fields(fields)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%s: %w", e.Type, err)
	}
	return o.Object, values, us, nil
}

// observedAs reads an observed event about id: its fields, and when it was asked for.
func observedAs(e schemas.Recorded, fields []schemas.Field, id string) ([]schemas.Value, int64, error) {
	object, values, us, err := observed(e, fields)
	if err == nil {
		err = isItself(object, "uuid", id)
	}
	return values, us, err
}

// importedAs reads an imported event about id: its fields beside fields, and the newest
// moment that the file speaks of.
func importedAs(e schemas.Recorded, fields []schemas.Field, id string) (schemas.Fields, int64, error) {
	object, _, us, err := observed(e, nil)
	if err != nil {
		return schemas.Fields{}, 0, err
	}
	values, err := object.Read(fields)
	if err != nil {
		return values, us, fmt.Errorf("%s: %w", e.Type, err)
	}
	return values, us, isItself(object, "uuid", id)
}

// absent reads an absent event: the Discord server it is about, if any, and
// the time it stands for.
func absent(e schemas.Recorded) (guild string, us int64, err error) {
	a, err := schemas.Decode[schemas.Absent](e.Event)
	if err != nil {
		return "", 0, err
	}
	if us, err = schemas.ParseTime(a.Asked); err != nil {
		return "", 0, fmt.Errorf("%s: asked: %w", e.Type, err)
	}
	return a.Guild, us, nil
}

// isItself refuses an object that says it is another than the event is about.
func isItself(o schemas.Object, key, id string) error {
	said, err := o.Text(key)
	if err == nil && said != "" && said != id {
		err = fmt.Errorf("%w: %s is not the subject", schemas.ErrInvalid, key)
	}
	return err
}
