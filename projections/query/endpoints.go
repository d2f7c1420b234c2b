package query

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/nats-io/nats.go/micro"

	"switchlog/projections/engine"
)

// addEndpoints adds an endpoint for each query, described in its metadata, so that
// `nats micro info switchlog` shows what can be asked; one for queries there are
// not, which says so; and the replay. What two subjects match reaches one of
// them: all are of one queue group, and answer alike.
func (s *service) addEndpoints(svc micro.Service) error {
	err := errors.Join(
		svc.AddEndpoint("query", micro.HandlerFunc(s.handleQuery), micro.WithEndpointSubject(querySubject),
			micro.WithEndpointMetadata(map[string]string{"description": "Any query; one that there is not is answered with an error."})),
		svc.AddEndpoint("replay", micro.HandlerFunc(s.handleReplay), micro.WithEndpointSubject(replaySubject),
			micro.WithEndpointMetadata(map[string]string{
				"description": "The events of a tenant in order, each a message, and an empty one at the end.",
				"schema":      schemaText(replaySchema()),
			})),
	)
	for _, source := range slices.Sorted(maps.Keys(s.sources)) {
		for _, name := range slices.Sorted(maps.Keys(s.sources[source])) {
			q := s.sources[source][name]
			err = errors.Join(err, svc.AddEndpoint(source+"-"+name, micro.HandlerFunc(s.handleQuery),
				micro.WithEndpointSubject(serviceName+".query."+source+".*."+name),
				micro.WithEndpointMetadata(map[string]string{
					"description": q.Doc, "schema": schemaText(requestSchema(q)), "response_schema": schemaText(answerSchema(q)),
				})))
		}
	}
	return err
}

// requestSchema is the JSON Schema of what a query is asked with.
func requestSchema(q engine.Query) object {
	properties := object{
		waitFor:     object{"type": "integer", "minimum": 0, "description": "Answer when the log is folded up to this sequence."},
		engine.AsOf: object{"type": []any{"string", "integer"}, "description": "What was known then: a sequence, or a time (RFC 3339)."},
		skipParam:   object{"type": "integer", "minimum": 0, "description": "Entries to pass over: the header " + nextHeader + " of the page before."},
	}
	required := []any{}
	for _, p := range q.Params {
		described := parameter(p, false)
		schema := described["schema"].(object)
		schema["description"] = p.Doc
		properties[p.Name] = schema
	}
	for _, name := range pathParams(q.Path) {
		required = append(required, name)
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// answerSchema is the JSON Schema of an answer.
func answerSchema(q engine.Query) object {
	if q.One {
		return object{"type": "object"}
	}
	return object{"type": "array", "items": object{"type": "object"}}
}

func replaySchema() object {
	bound := object{"type": []any{"string", "integer", "null"}, "description": "A sequence, a time (RFC 3339), or a duration ago."}
	return object{"type": "object", "additionalProperties": false, "properties": object{
		"from": bound, "to": bound, "type": object{"type": "string", "description": "A glob over event types."},
		"limit": object{"type": []any{"integer", "null"}, "minimum": 1, "description": "Events at most; the end says in Switchlog-Next where to go on."},
	}}
}

func schemaText(schema object) string {
	body, err := json.Marshal(schema)
	if err != nil {
		panic("query: a schema that is no JSON: " + err.Error())
	}
	return string(body)
}
