package projections

import (
	_ "embed"
	"encoding/json"
	"maps"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

//go:embed received.sql
var receivedSQL string

// ReceivedStandard is what came by Standard Webhooks. The table received is
// filled by three projections, one for each kind of source that takes anything
// from anybody: each answers below its own source.
//
// A sender may try again when nobody remembers the first time: of two events
// with one id the earlier counts, whichever came first.
var ReceivedStandard = received("received", schemas.StandardWebhooks, receivedSQL)

// received makes the projection of one kind. One of them makes the table.
func received(name, kind, schema string) engine.Projection {
	return engine.Projection{
		Name: name, Source: kind, Version: 1,
		Schema: schema,
		Handlers: engine.Any(func(tx *engine.Tx, e schemas.Recorded) error {
			if e.Route != schemas.GenericRoute(kind, e.Route.Tenant) {
				return nil
			}
			return foldReceived(tx, e)
		}),
		Queries: []engine.Query{{
			Name: "received", Path: "received",
			Doc: "What was received, the latest first.",
			Params: []engine.Param{
				{Name: "type", Doc: "Only messages of this type."},
				{Name: "id", Doc: "Only messages with this id."},
				{Name: "before", Kind: schemas.Int, Doc: "Only messages before this sequence: the last one's, for the next page."},
				{Name: "limit", Kind: schemas.Int, Default: "100", Doc: "How many at most, up to 1,000."},
			},
			SQL: `SELECT seq, id, type, sender, subject,
				strftime('%Y-%m-%dT%H:%M:%S', (time_us - micros) / 1000000, 'unixepoch') || printf('.%06dZ', micros) AS time, time_us,
				dataschema, datacontenttype, extensions AS extensions_json, data AS data_json, data_bytes AS data_base64
			FROM (SELECT *, ((time_us % 1000000) + 1000000) % 1000000 AS micros FROM received)
			WHERE source = '` + kind + `' AND tenant = :tenant AND (:type IS NULL OR type = :type) AND (:id IS NULL OR id = :id)
				AND seq < coalesce(:before, 9223372036854775807)
			ORDER BY seq DESC LIMIT max(0, min(:limit, 1000))`,
		}},
	}
}

func foldReceived(tx *engine.Tx, e schemas.Recorded) error {
	extensions := maps.Clone(e.Extensions)
	delete(extensions, schemas.SourceExtension) // source and tenant say it
	if extensions == nil {
		extensions = map[string]any{}
	}
	others, err := json.Marshal(extensions) // in the order of their names
	if err != nil {
		return err
	}
	var data, bytes any
	contentType := engine.TextOrNull(e.DataContentType)
	switch {
	case e.Data != nil:
		data = string(e.Data)
	case e.Binary != nil:
		bytes = e.Binary
	}
	if contentType == nil && (data != nil || bytes != nil) {
		contentType = "application/json"
	}
	return tx.Exec(`INSERT INTO received (source, tenant, sender, id, type, subject, time_us, seq,
			dataschema, datacontenttype, extensions, data, data_bytes)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (source, tenant, sender, id) DO UPDATE SET type = excluded.type, subject = excluded.subject,
			time_us = excluded.time_us, seq = excluded.seq, dataschema = excluded.dataschema, datacontenttype = excluded.datacontenttype,
			extensions = excluded.extensions, data = excluded.data, data_bytes = excluded.data_bytes
		WHERE (excluded.time_us, excluded.type, ifnull(excluded.subject, ''), excluded.extensions, ifnull(excluded.data, ''), ifnull(excluded.data_bytes, x''))
			< (time_us, type, ifnull(subject, ''), extensions, ifnull(data, ''), ifnull(data_bytes, x''))`,
		e.Route.Source, e.Route.Tenant, e.Source, e.ID, e.Type, engine.TextOrNull(e.Subject), e.Time.UnixMicro(), int64(e.Seq),
		engine.TextOrNull(e.DataSchema), contentType, string(others), data, bytes)
}
