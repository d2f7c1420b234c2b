package projections

// keptEntity is a row of an entity in memory.
type keptEntity struct {
	row    row
	stored bool    // the file has a row, if an older one
	change writing // what of it is not in the file
}

// writing says how much of a row is to be written.
type writing int

const (
	nothing  writing = iota
	counters         // what moves with every message, see entity
	whole
)

// find is the row of en under key as it is now: nil if there is none.
func (tx *Tx) find(en *entity, key []string) (*keptEntity, error) {
	k := keptKey(key)
	if r := tx.kept.get(en.table, k); r != nil {
		return r.kept.(*keptEntity), nil
	}
	args := make([]any, len(key))
	for i, part := range key {
		args[i] = part
	}
	got, err := tx.first(en.read, args...)
	if err != nil || got == nil {
		return nil, err
	}
	read, err := en.scan(got, key)
	if err != nil {
		return nil, err
	}
	h := &keptEntity{row: *read, stored: true}
	tx.kept.add(en.table, k, h)
	return h, nil
}

// look is the row of en under key as it is now, to be read only: nil if there
// is none, or it is another tenant's.
func (tx *Tx) look(en *entity, tenant string, key ...string) (*row, error) {
	h, err := tx.find(en, key)
	if err != nil || h == nil || h.row.tenant != tenant {
		return nil, err
	}
	return &h.row, nil
}

// keep keeps the row as an event left it, to be written later.
func (tx *Tx) keep(r *row, change writing) {
	k := keptKey(r.key)
	at := tx.kept.get(r.of.table, k)
	if at == nil {
		at = tx.kept.add(r.of.table, k, &keptEntity{})
	}
	at.changed()
	h := at.kept.(*keptEntity)
	r.sharedValues, r.sharedVersions = true, true
	h.row, h.change = *r, max(h.change, change)
}

func (h *keptEntity) store(tx *Tx) error {
	r := &h.row
	query, args := r.of.note, []any(nil)
	switch {
	case !h.stored:
		query, args = r.of.insert, r.keyArgs()
		if r.of.owned {
			args = append(args, r.tenant)
		}
		args = append(args, r.state()...)
	case h.change == whole:
		query, args = r.of.save, append(r.state(), r.keyArgs()...)
	default:
		args = append(r.moving(), r.keyArgs()...)
	}
	h.stored, h.change = true, nothing
	return tx.run(query, args...)
}
