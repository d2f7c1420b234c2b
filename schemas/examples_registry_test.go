package schemas

import (
	"encoding/json"
	"fmt"
	"strings"
)

// registryExamples are what is said of sources.
func registryExamples(n int) []example {
	secrets := map[string]string{"token": "pluralkit/main/token/1"}
	kind, name := PluralKit, "main"
	source := func(variant, typ, subject string, d SourceEvent) example {
		return registryExample(variant, typ, subject, d)
	}
	main := kind + "/" + name
	return numbered(n, []example{
		source("pluralkit", SourceAdded, main, SourceEvent{Kind: kind, Name: name, Secrets: secrets, By: "admin"}),
		source("discord", SourceAdded, "discord/shop", SourceEvent{
			Kind: "discord", Name: "shop", Tenant: "1150000000000000009",
			Settings: map[string]string{"application_id": "1150000000000000009"},
		}),
		source("basic", SourceLearned, main, SourceEvent{Kind: kind, Name: name, Tenant: exampleSystem}),
		source("basic", SourceRotated, main, SourceEvent{
			Kind: kind, Name: name, Secrets: map[string]string{"token": "pluralkit/main/token/2"}, Until: "2025-11-29T17:00:00Z", By: "admin",
		}),
		source("basic", SourceRemoved, main, SourceEvent{Kind: kind, Name: name, By: "admin"}),
	})
}

// readerExamples are what is said of readers.
func readerExamples(n int) []example {
	return numbered(n, []example{
		registryExample("tenant", ReaderAdded, "overlay", ReaderEvent{
			Name: "overlay", Source: PluralKit, Tenant: exampleSystem, Public: true, Expires: "2026-11-29T17:00:00Z", By: "admin",
			Secrets: map[string]string{"token": "secret-019ad08f-f7c1-7d3e-8a41-000000000005", "password": "secret-019ad08f-f7c1-7d3e-8a41-000000000006"},
		}),
		registryExample("all", ReaderAdded, "backup-job", ReaderEvent{
			Name: "backup-job", Secrets: map[string]string{"token": "secret-019ad08f-f7c1-7d3e-8a41-000000000007", "password": "secret-019ad08f-f7c1-7d3e-8a41-000000000008"},
		}),
		registryExample("basic", ReaderRevoked, "overlay", ReaderEvent{Name: "overlay", By: "admin"}),
	})
}

// numbered gives examples, from the nth on, their ids and times.
func numbered(n int, all []example) []example {
	for i := range all {
		e := &all[i].event
		e.ID, e.Time = exampleID(e.Type, all[i].variant, n+i), exampleTime(n+i)
	}
	return all
}

// subscriptionExamples are what is said of subscriptions and deliveries.
func subscriptionExamples(n int) []example {
	const (
		webhook  = "019ad08f-f7c1-7d3e-8a41-5b0e6c2d9f10"
		other    = "019ad08f-f8d2-7e4f-9b52-6c1f7d3eaf21"
		delivery = "5b0c8c1e-0f6e-5a0e-9a51-3a6b2a1f0002"
	)
	server := "11111111-1111-4111-8111-111111111111"
	discord := Subscription{
		ID: webhook, Owner: "admin", By: "admin", Name: "our channel", Provider: ProviderDiscord,
		URL:     "https://discord.com/api/webhooks/1150000000000000012/***",
		Secrets: map[string]string{"url": "secret-019ad08f-f7c1-7d3e-8a41-000000000001"},
		Events:  []string{"front.changed"}, Tenant: exampleSystem, Enabled: true,
		Options: map[string]string{"username": "Harbour House"},
	}
	standard := Subscription{
		ID: other, Owner: "admin", By: "admin", Provider: ProviderStandard, URL: "https://hooks.example.org/in",
		Secrets:  map[string]string{"url": "secret-019ad08f-f8d2-7e4f-9b52-000000000001", "secret": "secret-019ad08f-f8d2-7e4f-9b52-000000000002"},
		Events:   []string{"server.*", "backup.created"},
		ServerID: &server, Condition: "type.startsWith('io.stellarstack.')", Enabled: true, Rate: 0.5, Ordered: true, DebounceS: 20, OwnerOnly: true,
	}
	rotated := standard
	rotated.Secrets = map[string]string{"url": standard.Secrets["url"], "secret": "secret-019ad08f-f8d2-7e4f-9b52-000000000003", "old_secret": standard.Secrets["secret"]}
	rotated.OldUntil = "2025-11-30T17:00:00Z"
	gone := discord
	gone.By, gone.Enabled, gone.Reason = "", false, "the receiver says that it is gone for good (410)"
	attempt := DeliveryAttempt{
		Webhook: webhook, Delivery: delivery, Kind: DeliveryLive, Attempt: 1,
		At: "2025-11-29T17:01:24.250125Z", Duration: 112, Outcome: OutcomeDelivered, Status: 200, Response: `{"id":"1444000000000000007"}`,
		Request: DeliveryDetails{Method: "POST", URL: discord.URL + "?wait=true", Headers: map[string]string{"Content-Type": "application/json"}, Bytes: 512},
	}
	failed := attempt
	failed.Outcome, failed.Status, failed.Response, failed.RetryAt = OutcomeFailed, 0, "connection refused", "2025-11-29T17:01:29.250125Z"
	again := attempt
	again.Delivery, again.Kind, again.Of = "019ad08f-fae4-7f50-8c63-7d208e4fb032", DeliveryRetry, delivery
	request := DeliveryRequest{
		Webhook: webhook, Delivery: "019ad08f-fbf5-7061-9d74-8e319f50c143", MessageID: delivery, Kind: DeliveryReplay, Seq: 7, N: 0,
		Event: json.RawMessage(`{"specversion":"1.0","id":"1","source":"` + PluralKitSystemURL + exampleSystem + `","type":"` + PKSwitchCreate + `"}`),
		Route: Route{Source: PluralKit, Tenant: exampleSystem, Noun: "switch", Verb: "create"}.LogSubject(), Due: "2025-11-29T17:01:24.250125Z",
	}
	return numbered(n, []example{
		registryExample("discord", SubscriptionCreated, webhook, discord),
		registryExample("standard", SubscriptionCreated, other, standard),
		registryExample("rotated", SubscriptionUpdated, other, rotated),
		registryExample("disabled", SubscriptionUpdated, webhook, gone),
		registryExample("basic", SubscriptionDeleted, webhook, SubscriptionGone{ID: webhook, By: "admin"}),
		registryExample("replay", DeliveryRequested, webhook, request),
		registryExample("delivered", DeliveryAttempted, webhook, attempt),
		registryExample("failed", DeliveryAttempted, webhook, failed),
		registryExample("retry", DeliveryAttempted, webhook, again),
	})
}

func registryExample(variant, typ, subject string, data any) example {
	body, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("an event of the registry is always JSON: %v", err))
	}
	noun, verb, _ := strings.Cut(strings.TrimPrefix(typ, selfTypePrefix), ".")
	return example{variant, Event{
		Source: SelfURI, Type: typ, Subject: subject, DataSchema: SchemaID(typ), Origin: OriginCommand,
		Data: body, Route: RegistryRoute(noun, verb),
	}}
}
