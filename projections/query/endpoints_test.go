package query

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"switchlog/projections"
)

// TestEndpointsDescribeQueries: `nats micro info` shows each query there is, with
// its parameters; what is asked is answered once, by whichever endpoint.
func TestEndpointsDescribeQueries(t *testing.T) {
	f := serve(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		c := f.config()
		c.Projections = projections.All
		if err := serveNATS(ctx, c, func() { close(ready) }); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer cancel()
	<-ready
	m, err := f.admin.Request("$SRV.INFO.switchlog", nil, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var info micro.Info
	if err := json.Unmarshal(m.Data, &info); err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]string{}
	for _, e := range info.Endpoints {
		found[e.Subject] = e.Metadata
	}
	for _, p := range projections.All {
		for _, q := range p.Queries {
			subject := "switchlog.query." + p.Source + ".*." + q.Name
			var schema struct {
				Properties map[string]any `json:"properties"`
			}
			if err := json.Unmarshal([]byte(found[subject]["schema"]), &schema); err != nil || found[subject]["description"] != q.Doc {
				t.Errorf("%s: got %v, %v, want it described", subject, found[subject], err)
			}
			for _, param := range q.Params {
				if schema.Properties[param.Name] == nil {
					t.Errorf("%s: the schema does not have %s", subject, param.Name)
				}
			}
		}
	}
	if code, body := f.get(t, "/api/v1/asyncapi.json", adminToken).code, f.get(t, "/api/v1/asyncapi.json", adminToken).body; code != 200 || !strings.Contains(body, `"asyncapi"`) {
		t.Errorf("asyncapi.json: got %d %.60s", code, body)
	}
}
