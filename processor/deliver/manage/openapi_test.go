package manage

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"switchlog/schemas"
)

// TestWebhooksOpenAPI holds the description of the API against its routes, its
// answers and what it reads.
func TestWebhooksOpenAPI(t *testing.T) {
	type schema struct {
		Properties map[string]any
		Required   []string
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			Responses   map[string]any
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(webhooksOpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	var got, want []string
	for path, methods := range doc.Paths {
		for method, operation := range methods {
			got = append(got, strings.ToUpper(method)+" "+path)
			if id := operation.OperationID; id == "" || ids[id] {
				t.Errorf("%s %s: operationId %q, want one of its own: generated clients name their functions by it", method, path, id)
			}
			ids[operation.OperationID] = true
			if operation.Responses["401"] == nil {
				t.Errorf("%s %s: no 401", method, path)
			}
		}
	}
	for _, route := range webhookRoutes {
		want = append(want, route.method+" "+webhookRoots[0]+route.path)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("routes:\n got %q\nwant %q", got, want)
	}
	for name, of := range map[string]reflect.Type{
		"Webhook": reflect.TypeFor[WebhookObject](), "DeliverySummary": reflect.TypeFor[DeliverySummary](), "Delivery": reflect.TypeFor[schemas.DeliveryRecord](),
		"Retried": reflect.TypeFor[retried](), "Tested": reflect.TypeFor[tested](), "Catalogue": reflect.TypeFor[catalogueObject](), "Faults": reflect.TypeFor[faults](),
	} {
		var all, always []string
		for i := range of.NumField() {
			member, omit, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			all = append(all, member)
			if omit == "" {
				always = append(always, member)
			}
		}
		s := doc.Components.Schemas[name]
		slices.Sort(all)
		if got := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(got, all) {
			t.Errorf("%s: members:\n got %q\nwant %q", name, got, all)
		}
		slices.Sort(always)
		slices.Sort(s.Required)
		if !slices.Equal(s.Required, always) {
			t.Errorf("%s: required:\n got %q\nwant %q", name, s.Required, always)
		}
	}
	var made, changed []string
	for _, m := range wishMembers {
		made = append(made, m.name)
		if !m.fixed {
			changed = append(changed, m.name)
		}
	}
	for name, want := range map[string][]string{"NewWebhook": made, "ChangedWebhook": changed} {
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(doc.Components.Schemas[name].Properties)); !slices.Equal(got, want) {
			t.Errorf("%s: members:\n got %q\nwant %q", name, got, want)
		}
	}
}

// FuzzWish: no body breaks the reading, and none that is refused changes what
// was asked for, or is quoted.
func FuzzWish(f *testing.F) {
	for _, seed := range []string{
		`{"url":"https://a.example","events":["front.changed"]}`, `{"events":["*"],"options":{"a":"b"},"rate":0.5}`, `{"serverId":null}`,
		`{"url":"x","events":[],"secret":"whsec_x","ordered":true}`, `[]`, `null`, `{"a":{"b":[1,2]}}`, "{\"name\":\"\u0000\"}", `{"variables":{"{x}":"id"}}`,
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, body string, making bool) {
		object, err := parseObject([]byte(body))
		if err != nil {
			return
		}
		var to wish
		if err := fill(&to, object, making); err != nil {
			if _, told := err.(faulty); !told {
				t.Errorf("%q: got %v, want a fault that is told", body, err)
			}
			return
		}
		if making && len(to.Events) == 0 {
			t.Errorf("%q: accepted without events", body)
		}
		if len(to.Events) > maxWebhookEvents || len(to.Options) > schemas.MaxVariables || len(to.Name) > maxNameBytes || to.Rate < 0 || to.Rate > schemas.MaxRate {
			t.Errorf("%q: accepted beyond the limits: %+v", body, to)
		}
	})
}
