package ingest

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"switchlog/ingest/registry"
)

// TestLimitsSayWhich: a verified request that exceeds a limit is told which,
// and how much is too much.
func TestLimitsSayWhich(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.add(t)
	b.addSource(t, registry.NewSource{Kind: "cloudevents", Name: "bus", Secrets: map[string]string{"token": ceToken}})
	b.addSource(t, registry.NewSource{Kind: "standard", Name: "shop", Secrets: map[string]string{purposeSecret: standardKey1}})
	now := b.clock.Now()
	many := standardSigned(t, standardKey1, "msg_1", now, standardBody)
	many.Set("Webhook-Signature", many.Get("Webhook-Signature")+strings.Repeat(" v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)), 16))
	deep := strings.Repeat("[", 129) + strings.Repeat("]", 129)
	long := func(name string) string {
		attributes := map[string]string{"id": "1", "source": "s", "type": "t"}
		attributes[name] = strings.Repeat("1", 1025)
		return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":%q}`, attributes["id"], attributes["source"], attributes["type"])
	}
	dispatch := `{"type":"UPDATE_MEMBER","signing_token":"` + testToken + `","system_id":"` + testSystem + `","data":%s,"x":"%s"}`
	for _, c := range []struct {
		name, path string
		header     http.Header
		body       string
		status     int
		says       string
	}{
		{"a batch", cePath, ce("Content-Type", batched), `[` + strings.Repeat(ceEvent+",", 1000) + ceEvent + `]`, 413, "more than 1000 events in a batch"},
		{"an id", cePath, ce("Content-Type", structured), long("id"), 400, "id is longer than 1024 bytes"},
		{"a source", cePath, ce("Content-Type", structured), long("source"), 400, "source is longer than 1024 bytes"},
		{"a type", cePath, ce("Content-Type", structured), long("type"), 400, "type is longer than 1024 bytes"},
		{"an encoded event", cePath, ce("Content-Type", structured), with(`"x":"` + strings.Repeat("<", 200<<10) + `"`), 413, "larger than 786432 bytes as CloudEvents JSON"},
		{"depth, structured", cePath, ce("Content-Type", structured), with(`"data":` + deep), 400, "nested deeper than 128 levels"},
		{"depth, batch", cePath, ce("Content-Type", batched), `[` + with(`"data":`+deep) + `]`, 400, "nested deeper than 128 levels"},
		{"depth, binary", cePath, binary("Content-Type", "application/json"), deep, 400, "nested deeper than 128 levels"},
		{"depth, standard", standardPath, standardSigned(t, standardKey1, "msg_1", now, deep), deep, 400, "nested deeper than 128 levels"},
		{"depth, pluralkit", "/in/pluralkit", http.Header{}, fmt.Sprintf(dispatch, deep, ""), 400, "nested deeper than 128 levels"},
		{"signatures", standardPath, many, standardBody, 400, "more than 16 signatures"},
		{"a webhook-id", standardPath, standardSigned(t, standardKey1, strings.Repeat("m", 257), now, standardBody), standardBody, 400, "the id in the header is longer than 256 bytes"},
		{"unknown members", "/in/pluralkit", http.Header{}, fmt.Sprintf(dispatch, "{}", strings.Repeat("x", maxExtraBytes)), 413, "more than 65536 bytes of members that are not known"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", b.edge.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = c.header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || !strings.Contains(string(got), c.says) {
			t.Errorf("%s: got %d %s (%v), want %d and %q", c.name, resp.StatusCode, got, err, c.status, c.says)
		}
	}
	if got := b.log.webhooks(); len(got) != 0 {
		t.Errorf("%d events stored, want none", len(got))
	}
}

// TestCurveChecks: a request that proves nothing costs at most four checks of a
// curve, of the first keys and signatures; and no pair is tried twice.
func TestCurveChecks(t *testing.T) {
	for keys := range 10 {
		for signatures := range 20 {
			pairs := curveChecks(keys, signatures)
			if want := min(4, keys*signatures); len(pairs) != want {
				t.Errorf("%d keys, %d signatures: %d checks, want %d", keys, signatures, len(pairs), want)
			}
			seen := map[curveCheck]bool{}
			for _, p := range pairs {
				if seen[p] || p.key >= keys || p.signature >= signatures {
					t.Errorf("%d keys, %d signatures: check %+v in %v", keys, signatures, p, pairs)
				}
				seen[p] = true
			}
		}
	}
	if got, want := curveChecks(2, 2), 4; len(got) != want {
		t.Errorf("a sender that changes its key: %d pairs, want all %d", len(got), want)
	}
}

// TestKeysOfASource: however often secrets were replaced within their grace,
// a request meets the newest of them, and no more than four public keys.
func TestKeysOfASource(t *testing.T) {
	b := newStandard(t, map[string]string{purposePublicKey: standardPub})
	d := newDiscord(t, nil)
	for range 6 {
		for b, kind := range map[*bench][2]string{b: {"standard", "shop"}, d: {"discord", "shop"}} {
			fresh := base64.StdEncoding.EncodeToString(newPublicKey())
			if kind[0] == "discord" {
				fresh = fmt.Sprintf("%x", newPublicKey())
			}
			if _, err := b.reg.Rotate(t.Context(), kind[0], kind[1], map[string]string{purposePublicKey: fresh}, registry.MaxGrace); err != nil {
				t.Fatal(err)
			}
			b.clock.pass(1)
		}
	}
	s := b.reg.Find("standard", "shop").Source.(standardSource)
	if len(s.public) != 4 || !s.public[0].until.IsZero() || s.public[1].until.Before(s.public[2].until) {
		t.Errorf("standard: %d public keys, the first until %v, want 4, the newest first", len(s.public), s.public[0].until)
	}
	k := d.reg.Find("discord", "shop").Source.(discordSource)
	if len(k.keys) != 4 || !k.keys[0].until.IsZero() || k.keys[1].until.Before(k.keys[2].until) {
		t.Errorf("discord: %d public keys, want 4, the newest first", len(k.keys))
	}
}

// TestDecoys: each kind whose path names a source has one that does its work
// for names that no source has, and takes nothing.
func TestDecoys(t *testing.T) {
	c := newClock()
	decoys := newDecoys(c.Now)
	at := c.Now()
	for name, r := range map[string]*Request{
		"discord":      {Header: discordSigned(discordSeed, discordAt, "{}")},
		"botghost":     {Header: http.Header{"Authorization": {"x"}}},
		"stellarstack": {Header: stellarSigned(stellarSecret, "{}")},
		"standard":     {Header: standardSigned(t, standardKey1, "m", at, "{}")},
		"token":        {Header: http.Header{"Authorization": {"x"}}},
		"cloudevents":  {Header: http.Header{"Authorization": {"Bearer x"}}},
	} {
		if decoys[name] == nil {
			t.Errorf("%s: no decoy", name)
		} else if err := decoys[name].Verify(r, []byte("{}")); err == nil {
			t.Errorf("%s: the decoy took a request", name)
		}
	}
	if len(decoys) != len(Kinds)-1 {
		t.Errorf("%d decoys, want one for each kind but pluralkit", len(decoys))
	}
	d := decoys["standard"].(standardSource)
	if len(d.secrets) != 1 || len(d.public) != 1 || len(decoys["discord"].(discordSource).keys) != 1 {
		t.Error("a decoy has not the keys that a source has")
	}
}
