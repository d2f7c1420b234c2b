package schemas

import (
	"slices"
	"testing"
)

// TestEventCatalogue: every type that can be meant is in it once, StellarStack's
// categories first and as StellarStack lists them.
func TestEventCatalogue(t *testing.T) {
	catalogue := EventCatalogue()
	var names []string
	byName := map[string][]string{}
	for _, c := range catalogue {
		if len(c.Events) == 0 || byName[c.Name] != nil {
			t.Errorf("category %s: empty or twice", c.Name)
		}
		names, byName[c.Name] = append(names, c.Name), c.Events
	}
	want := []string{"server", "backup", "transfer", "file", "resource", "change", "pluralkit", "discord", "botghost", "stellarstack", "observed", "generic", "switchlog"}
	if !slices.Equal(names, want) {
		t.Errorf("categories:\n got %q\nwant %q", names, want)
	}
	for category, events := range map[string][]string{
		"server": {"server.started", "server.stopped", "server.crashed", "server.restarted", "server.auto_shutdown",
			"server.created", "server.deleted", "server.updated", "server.suspended", "server.unsuspended"},
		"backup":    {"backup.created", "backup.failed", "backup.restored", "backup.deleted"},
		"transfer":  {"transfer.started", "transfer.completed", "transfer.failed"},
		"file":      {"file.created", "file.deleted", "file.modified"},
		"resource":  {"resource.warning", "resource.critical"},
		"change":    {"front.changed", "member.changed", "group.changed", "system.changed", "settings.changed", "source.changed"},
		"generic":   {"message.receive", "event.receive"},
		"switchlog": {"source.added", "source.learned", "source.rotated", "source.removed"},
	} {
		if got := byName[category]; !slices.Equal(got, events) {
			t.Errorf("%s:\n got %q\nwant %q", category, got, events)
		}
	}
	for _, typ := range Types() {
		meant := MatchEvent(typ.Name, typ.Name, typ.route())
		if self := typ.Source == SelfSource && typ.Noun != "source"; meant == self {
			t.Errorf("%s: can be meant %t, want %t", typ.Name, meant, !self)
		}
		if got := slices.Contains(byName[typ.category()], typ.Noun+"."+typ.Verb); got != meant {
			t.Errorf("%s: in the catalogue %t, want %t", typ.Name, got, meant)
		}
	}
}

func TestInCatalogue(t *testing.T) {
	for _, c := range []struct {
		pattern, source string
		want            bool
	}{
		{"front.changed", "", true}, {"front.changed", PluralKit, true}, {"front.changed", Discord, false},
		{"server.*", "", true}, {"*", "", true}, {"*.create", Discord, true}, {PKSwitchCreate, "", true}, {"me.pluralkit.*", "", true},
		{"SERVER_STARTED", "", false}, {"server.start", "", false}, {"", "", false}, {"switch", "", false},
		{DeliveryAttempted, "", false}, {"switchlog.subscription.*", "", false}, {"subscription.created", "", false},
	} {
		if got := InCatalogue(c.pattern, c.source); got != c.want {
			t.Errorf("InCatalogue(%q, %q): got %t, want %t", c.pattern, c.source, got, c.want)
		}
	}
}
