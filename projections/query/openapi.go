package query

import (
	"encoding/json"
	"slices"
	"strconv"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// object is a JSON object; encoding/json sorts its members.
type object map[string]any

// OpenAPI describes the read API (OpenAPI 3.1): a path for every query, and
// the streams of changes. Equal projections give equal bytes.
func OpenAPI(all []engine.Projection) []byte {
	paths := object{}
	var sources []string
	for _, p := range all {
		if !slices.Contains(sources, p.Source) {
			sources = append(sources, p.Source)
		}
		for _, q := range p.Queries {
			paths[Root+p.Source+"/{tenant}/"+q.Path] = object{"get": queryOperation(p, q)}
		}
	}
	for _, source := range sources {
		paths[Root+source] = object{"get": tenantsOperation(source)}
		paths[Root+source+"/{tenant}/"+labelChanges] = object{"get": changesOperation(source)}
	}
	body, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title":       "switchlog",
			"version":     serviceVersion,
			"description": "What is known of each tenant. Every answer is true at one position of the log, which the header Switchlog-Position names.",
			"license":     object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":    []any{object{"url": "/", "description": "The private listener."}},
		"security":   []any{object{"bearer": []any{}}},
		"paths":      paths,
		"components": components(),
	}, "", "  ")
	if err != nil {
		panic("query: openapi: " + err.Error())
	}
	return append(body, '\n')
}

func queryOperation(p engine.Projection, q engine.Query) object {
	params := []any{ref("parameters", "tenant")}
	inPath := pathParams(q.Path)
	for _, param := range q.Params {
		params = append(params, parameter(param, slices.Contains(inPath, param.Name)))
	}
	params = append(params, ref("parameters", waitFor), ref("parameters", engine.AsOf))
	shape := object{"type": "array", "items": object{"type": "object"}}
	codes := []string{"400", "401", "404", "413", "503", "504"}
	if q.One {
		shape = object{"type": "object"}
	}
	return object{
		"operationId": p.Source + "." + q.Name, "tags": []any{p.Source}, "summary": q.Doc, "parameters": params,
		"responses": responses(object{
			"description": "The answer.",
			"headers":     object{positionHeader: ref("headers", "position")},
			"content":     object{"application/json": object{"schema": shape}},
		}, codes...),
	}
}

func tenantsOperation(source string) object {
	return object{
		"operationId": source + "." + labelTenants, "tags": []any{source},
		"summary": "The tenants that the token may see, by name; at most 1,000.",
		"parameters": []any{object{"name": "after", "in": "query", "description": "Only those whose names come after this one: the last of the page before.",
			"schema": object{"type": "string"}}},
		"responses": responses(object{
			"description": "The tenants.",
			"content": object{"application/json": object{"schema": object{"type": "array", "items": object{"type": "object",
				"required": []any{"tenant"}, "properties": object{
					"tenant": object{"type": "string"},
					"id":     object{"type": "string", "description": "What may stand for it in a path: PluralKit's short id."},
				}}}}},
		}, "400", "401", "404", "503"),
	}
}

func changesOperation(source string) object {
	return object{
		"operationId": source + "." + labelChanges, "tags": []any{source},
		"summary": "What becomes different, as it does: Server-Sent Events.",
		"description": "Each event has the type of the change as its name, a CloudEvent as its data, and as its id a sequence. " +
			"A client that comes back with the last id it had gets what came after it, without a gap and nothing twice.",
		"parameters": []any{
			ref("parameters", "tenant"),
			object{"name": "Last-Event-ID", "in": "header", "description": "The last id the client had; without one, only what comes from now on.", "schema": sequence()},
			object{"name": "last_event_id", "in": "query", "description": "The same, for clients that cannot set a header, which goes before it.", "schema": sequence()},
		},
		"responses": responses(object{
			"description": "Changes, until the client goes. A comment every 15 seconds keeps the connection open.",
			"content":     object{"text/event-stream": object{"schema": object{"type": "string"}}},
		}, "400", "401", "404", "429", "503"),
	}
}

func parameter(p engine.Param, inPath bool) object {
	schema := object{"type": "string"}
	var otherwise any = p.Default
	switch p.Kind {
	case schemas.Int:
		schema = object{"type": "integer", "format": "int64"}
		if n, err := strconv.ParseInt(p.Default, 10, 64); err == nil {
			otherwise = n
		}
	case schemas.Bool:
		schema = object{"type": "boolean"}
		otherwise = p.Default == "true"
	case schemas.Time:
		schema = object{"type": "string", "format": "date-time"}
	}
	if p.Default != "" {
		schema["default"] = otherwise
	}
	out := object{"name": p.Name, "in": "query", "description": p.Doc, "schema": schema}
	if inPath {
		out["in"], out["required"] = "path", true
	}
	return out
}

func responses(ok object, codes ...string) object {
	all := object{"200": ok}
	for _, code := range codes {
		all[code] = ref("responses", code)
	}
	return all
}

func components() object {
	refused := func(description string) object {
		return object{"description": description, "content": object{"application/json": object{"schema": ref("schemas", "error")}}}
	}
	unauthorized := refused("There is no token, or none that is good.")
	unauthorized["headers"] = object{"WWW-Authenticate": object{"schema": object{"const": "Bearer"}}}
	return object{
		"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer", "description": "The token of a reader, or the operator's."}},
		"parameters": object{
			"tenant": object{"name": "tenant", "in": "path", "required": true, "schema": object{"type": "string"},
				"description": "Whose data it is, e.g. the uuid of a PluralKit system."},
			waitFor: object{"name": waitFor, "in": "query", "schema": sequence(),
				"description": "Answer when the log is folded up to this sequence; 504 if that takes too long."},
			engine.AsOf: object{"name": engine.AsOf, "in": "query", "schema": object{"type": "string"},
				"description": "What was known then: after the event of this sequence, or at this time (RFC 3339)."},
		},
		"headers": object{"position": object{"description": "Sequence of the last event the answer knows of.", "required": true, "schema": sequence()}},
		"schemas": object{"error": object{"type": "object", "required": []any{"error"}, "additionalProperties": false,
			"properties": object{"error": object{"type": "string", "description": "A sentence that says what was wrong."}}}},
		"responses": object{
			"400": refused("A parameter is unknown or malformed; the error names it."),
			"401": unauthorized,
			"404": refused("There is no such thing, or this reader may not know."),
			"413": refused("The answer would be too large."),
			"429": refused("This reader has too many streams open."),
			"503": refused("Not now: too many requests, the log is away, or the database is being rebuilt."),
			"504": refused("It took too long."),
		},
	}
}

func sequence() object { return object{"type": "integer", "format": "int64", "minimum": 0} }

func ref(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }
