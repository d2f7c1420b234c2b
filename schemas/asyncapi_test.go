package schemas

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestAsyncAPIFresh holds asyncapi.json against what follows from the catalog
// and the schemas; -update rewrites it.
func TestAsyncAPIFresh(t *testing.T) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(asyncAPI(t)); err != nil {
		t.Fatal(err)
	}
	fresh(t, "asyncapi.json", b.Bytes())
}

// TestAsyncAPIReferences follows every reference in asyncapi.json.
func TestAsyncAPIReferences(t *testing.T) {
	var api object
	if err := json.Unmarshal(AsyncAPI(), &api); err != nil {
		t.Fatal(err)
	}
	followed := 0
	walk(api, func(o object) {
		ref, ok := o["$ref"].(string)
		if !ok {
			return
		}
		followed++
		var at any = api
		path, local := strings.CutPrefix(ref, "#/")
		for _, key := range strings.Split(path, "/") {
			inner, _ := at.(object)
			at = inner[key]
		}
		if !local || at == nil {
			t.Errorf("%s: not there", ref)
		}
	})
	if followed < 3*len(types) {
		t.Errorf("%d references, want at least %d", followed, 3*len(types))
	}
}

// walk calls f with every object in v.
func walk(v any, f func(object)) {
	switch v := v.(type) {
	case object:
		f(v)
		for _, inner := range v {
			walk(inner, f)
		}
	case []any:
		for _, inner := range v {
			walk(inner, f)
		}
	}
}

func asyncAPI(t *testing.T) any {
	return struct {
		AsyncAPI           string `json:"asyncapi"`
		Info               object `json:"info"`
		DefaultContentType string `json:"defaultContentType"`
		Servers            object `json:"servers"`
		Channels           object `json:"channels"`
		Operations         object `json:"operations"`
		Components         object `json:"components"`
	}{
		AsyncAPI: "3.0.0",
		Info: object{
			"title":   "switchlog",
			"version": "1",
			"description": "PluralKit's webhooks as a log of CloudEvents, what became different because of them, " +
				"and queries over what is known. Every message but the requests is a CloudEvent 1.0 in structured JSON mode.",
			"license": object{"name": "Apache-2.0"},
		},
		DefaultContentType: ContentType,
		Servers: object{"nats": object{
			"host": "127.0.0.1:4222", "protocol": "nats",
			"description": "The NATS server inside switchlog, or the one it was given. A reader sees the subjects of its tenant.",
			"security":    []any{reference("securitySchemes", "reader")},
		}},
		Channels:   channels(),
		Operations: operations(),
		Components: object{
			"messages": messages(t),
			"schemas":  componentSchemas(t),
			"securitySchemes": object{"reader": object{
				"type": "userPassword", "description": "Made by switchlog access add.",
			}},
			"messageTraits": object{"stored": object{"headers": object{"type": "object", "properties": object{
				"Content-Type":       object{"type": "string", "const": ContentType},
				"Nats-Msg-Id":        object{"type": "string", "description": "{source}/{tenant}/{id}: equal for equal events."},
				"Nats-Sequence":      object{"type": "string", "description": "Position in the log, in decimal."},
				"Nats-Last-Sequence": object{"type": "string", "description": "Position of the message before on this subject, in decimal; 0: none. A gap shows here."},
			}}}},
		},
	}
}

func reference(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

// isChange reports whether a type travels on changes.… and not on events.…
func isChange(typ Type) bool { return typ.Verb == "changed" }

// messagesOf are the references of a channel to the messages of some types.
func messagesOf(which func(Type) bool) object {
	all := object{}
	for _, typ := range types {
		if which(typ) {
			all[typ.Name] = reference("messages", typ.Name)
		}
	}
	return all
}

func channels() object {
	events := messagesOf(func(typ Type) bool { return !isChange(typ) })
	parameters := func(names ...string) object {
		all := object{}
		for _, name := range names {
			all[name] = object{"description": map[string]string{
				"source": "Kind of the source: pluralkit, discord, ...",
				"tenant": "Whose data it is, e.g. the uuid of a PluralKit system. Bytes other than letters, digits, - and _ are =XX.",
				"noun":   "What it is about: member, switch, ...",
				"verb":   "What happened: create, update, delete, ...",
				"query":  "Name of a query.",
			}[name]}
		}
		return all
	}
	return object{
		"events": object{
			"address": Events + ".{source}.{tenant}.{noun}.{verb}", "title": "Events",
			"description": "Every event, right after it is stored.",
			"parameters":  parameters("source", "tenant", "noun", "verb"), "messages": events,
		},
		"changes": object{
			"address": Changes + ".{source}.{tenant}.{noun}", "title": "Changes",
			"description": "What became different: once for each event that caused it.",
			"parameters":  parameters("source", "tenant", "noun"), "messages": messagesOf(isChange),
		},
		"query": object{
			"address": "switchlog.query.{source}.{tenant}.{query}", "title": "Queries",
			"description": "A NATS micro service. Errors are in the headers Nats-Service-Error and Nats-Service-Error-Code. The subject to answer to must begin with _INBOX.",
			"parameters":  parameters("source", "tenant", "query"),
			"messages":    object{"request": reference("messages", "query.request"), "answer": reference("messages", "query.answer")},
		},
		"replay": object{
			"address": "switchlog.replay.{source}.{tenant}", "title": "Replay",
			"description": "A NATS micro service: the tenant's events again, in order. The subject to answer to must begin with _INBOX.",
			"parameters":  parameters("source", "tenant"),
			"messages":    object{"request": reference("messages", "replay.request")},
		},
		"replayed": object{
			"address": nil, "title": "The caller's inbox",
			"description": "The events that were asked for, and an empty message at the end. An event larger than a message of the server may be comes without data and with the extension dataomitted: how many bytes data has.",
			"messages":    withEnd(events),
		},
	}
}

func withEnd(events object) object {
	all := object{"end": reference("messages", "replay.end")}
	for name, message := range events {
		all[name] = message
	}
	return all
}

func operations() object {
	channel := func(name string) object { return object{"$ref": "#/channels/" + name} }
	message := func(channel, name string) object {
		return object{"$ref": "#/channels/" + channel + "/messages/" + name}
	}
	return object{
		"sendEvents":  object{"action": "send", "channel": channel("events"), "summary": "Subscribe to hear of every event."},
		"sendChanges": object{"action": "send", "channel": channel("changes"), "summary": "Subscribe to hear what became different."},
		"answerQuery": object{
			"action": "receive", "channel": channel("query"), "summary": "Ask what is known.",
			"messages": []any{message("query", "request")},
			"reply":    object{"channel": channel("query"), "messages": []any{message("query", "answer")}},
		},
		"answerReplay": object{
			"action": "receive", "channel": channel("replay"), "summary": "Ask for events again.",
			"messages": []any{message("replay", "request")},
			"reply":    object{"channel": channel("replayed")},
		},
	}
}

// messages are one for each type (the envelope, with the data of the type),
// with an example, and those of the services.
func messages(t *testing.T) object {
	all := object{
		"query.request": object{
			"title": "Query", "contentType": "application/json", "summary": "The query's parameters by name; empty: none. skip passes over so many entries, see Switchlog-Next.",
			"payload": object{"type": "object"},
		},
		"query.answer": object{
			"title": "Answer", "contentType": "application/json", "summary": "The rows, and the position they are true at.",
			"headers": object{"type": "object", "properties": object{
				"Switchlog-Position": object{"type": "string", "description": "Sequence of the last event the answer knows of."},
				"Switchlog-Next":     object{"type": "string", "description": "The answer is larger than a message of the server may be, and goes on: ask again with this as skip. Absent: it is the whole, or the last page."},
				"Switchlog-Omitted":  object{"type": "string", "description": "Members of the only entry that are null here because the entry alone is larger than a message may be. Over HTTP they are there."},
			}},
			"payload": object{"type": []any{"object", "array"}},
		},
		"replay.request": object{
			"title": "Replay", "contentType": "application/json",
			"payload": object{
				"type": "object",
				"properties": object{
					"from":  object{"type": []any{"integer", "string"}, "description": "First sequence, or a time (RFC 3339), or how long ago (1h30m, 7d). Absent: the beginning."},
					"to":    object{"type": []any{"integer", "string"}, "description": "Last sequence, or a time (RFC 3339) or how long ago, before which. Absent: the end as it is now."},
					"type":  object{"type": "string", "description": "Only types that match, e.g. me.pluralkit.switch.*; the star is any text. Absent: all."},
					"limit": object{"type": "integer", "minimum": 1, "description": "Events at most, to take a long replay in parts, at one's own pace. Absent: all."},
				},
				"additionalProperties": false,
			},
		},
		"replay.end": object{
			"title": "End", "summary": "An empty message: the replay is complete, unless the headers say what went wrong.",
			"headers": object{"type": "object", "properties": object{
				"Switchlog-Count":         object{"type": "string", "description": "How many events were sent; if fewer arrived, some were lost on the way."},
				"Switchlog-Last-Sequence": object{"type": "string", "description": "Sequence of the last event sent; 0: none. A replay that broke off goes on with from one above what has arrived last."},
				"Switchlog-Next":          object{"type": "string", "description": "There are more events than limit: ask again with this as from. Absent: there are none."},
				"Nats-Service-Error-Code": object{"type": "string", "description": "Only on an error: 400, 429, 500, 503 or 504."},
				"Nats-Service-Error":      object{"type": "string", "description": "Only on an error: a sentence."},
			}},
			"payload": object{"maxLength": 0},
		},
	}
	first := firstExamples(t)
	for _, typ := range types {
		title := typ.Name
		if typ.Provider != "" {
			title += " (" + typ.Provider + ")"
		}
		x, ok := first[typ.Name]
		if !ok {
			t.Errorf("%s: no example", typ.Name)
			continue
		}
		all[typ.Name] = object{
			"name": typ.Name, "title": title, "summary": typ.Summary, "contentType": ContentType,
			"traits": []any{reference("messageTraits", "stored")},
			"payload": object{"allOf": []any{
				reference("schemas", "event"),
				object{"properties": object{"type": object{"const": typ.Name}, "data": reference("schemas", typ.Name)}},
			}},
			"examples": []any{object{"name": x.variant, "payload": x.event}},
		}
	}
	return all
}

// firstExamples are the first examples by name of each type: the made ones,
// since those in the binary may be stale.
func firstExamples(t *testing.T) map[string]example {
	first := map[string]example{}
	for _, x := range allExamples(t) {
		if other, taken := first[x.event.Type]; !taken || x.variant < other.variant {
			first[x.event.Type] = x
		}
	}
	return first
}

// componentSchemas are the JSON Schemas with their definitions beside them
// (as name.definition) and references by place, since readers of AsyncAPI do
// not look up URNs.
func componentSchemas(t *testing.T) object {
	files, err := contract.ReadDir("jsonschema")
	if err != nil {
		t.Fatal(err)
	}
	all := object{}
	for _, f := range files {
		var schema object
		read(t, "jsonschema/"+f.Name(), &schema)
		name := strings.TrimSuffix(f.Name(), ".json")
		walk(schema, func(o object) {
			if ref, ok := o["$ref"].(string); ok {
				id, definition, _ := strings.Cut(ref, "#/$defs/")
				if id == "" {
					id = SchemaID(name)
				}
				id = strings.TrimSuffix(strings.TrimPrefix(id, schemaPrefix), ":1")
				o["$ref"] = reference("schemas", id+"."+definition)["$ref"]
			}
		})
		definitions, _ := schema["$defs"].(object)
		for inner, definition := range definitions {
			all[name+"."+inner] = definition
		}
		delete(schema, "$defs")
		delete(schema, "$id")
		delete(schema, "$schema")
		if len(definitions) == 0 || schema["type"] != nil { // not merely a shelf of definitions
			all[name] = schema
		}
	}
	return all
}
