package ingest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const (
	discordURL  = "https://discord.com/api/webhooks/1150000000000000012/example-channel-token"
	givenSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// addOld adds what registryCommands change: a source and a subscription called "old".
func addOld(t *testing.T, r *registry.Registry) {
	t.Helper()
	if _, err := r.Add(t.Context(), registry.NewSource{Kind: "pluralkit", Name: "old", Secrets: map[string]string{"token": testToken}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Subscribe(t.Context(), schemas.Subscription{Name: "old", Enabled: true}, discordURL, givenSecret); err != nil {
		t.Fatal(err)
	}
}

// registryCommands is every command there is, on a registry that has what addOld adds.
var registryCommands = map[string]func(context.Context, *registry.Registry) error{
	"add": func(ctx context.Context, r *registry.Registry) error {
		_, err := r.Add(ctx, registry.NewSource{Kind: "pluralkit", Name: "new", Settings: map[string]string{"system": testSystem},
			Secrets: map[string]string{"token": otherToken, "api_token": apiToken}})
		return err
	},
	"learn": func(ctx context.Context, r *registry.Registry) error {
		return r.Learn(ctx, "pluralkit", "old", testSystem)
	},
	"rotate": func(ctx context.Context, r *registry.Registry) error {
		_, err := r.Rotate(ctx, "pluralkit", "old", map[string]string{"token": otherToken}, time.Minute)
		return err
	},
	"remove": func(ctx context.Context, r *registry.Registry) error { return r.Remove(ctx, "pluralkit", "old") },
	"subscribe": func(ctx context.Context, r *registry.Registry) error {
		_, err := r.Subscribe(ctx, schemas.Subscription{Name: "new", Enabled: true}, discordURL, "")
		return err
	},
	"resubscribe": func(ctx context.Context, r *registry.Registry) error {
		d := r.SubscriptionRecords()[0]
		s := d.Subscription
		s.Name = "another"
		_, err := r.Resubscribe(ctx, s, d.Updated, discordURL+"-new")
		return err
	},
	"rotate a subscription": func(ctx context.Context, r *registry.Registry) error {
		_, err := r.RotateSubscription(ctx, r.SubscriptionRecords()[0].ID, r.NewSigningSecret())
		return err
	},
	"disable": func(ctx context.Context, r *registry.Registry) error {
		return r.Disable(ctx, r.SubscriptionRecords()[0].ID, "gone")
	},
	"unsubscribe": func(ctx context.Context, r *registry.Registry) error {
		return r.Unsubscribe(ctx, r.SubscriptionRecords()[0].ID)
	},
}

// A command whose context ends while the log does not take its event is refused,
// and never carried out: neither by the next start nor by the next command.
func TestRegistryTimeoutChangesNothing(t *testing.T) {
	for name, command := range registryCommands {
		t.Run(name, func(t *testing.T) {
			dir, clock, lines, log := t.TempDir(), newClock(), &output{}, newLog(t)
			r := openRegistry(t, dir, clock, lines, log)
			addOld(t, r)
			was, wasSubscribed, wasLog, wasSecrets := r.Sources(), r.SubscriptionRecords(), len(log.all()), secretsIn(t, dir)

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			log.before = cancel
			if err := command(ctx, r); !errors.Is(err, context.Canceled) {
				t.Fatalf("error %v, want that the time is over", err)
			}
			if err := command(ctx, r); !errors.Is(err, context.Canceled) {
				t.Fatalf("begun with a context that is over: error %v, want that", err)
			}
			log.before = nil

			again := openRegistry(t, copyDir(t, dir), clock, lines, log)
			for when, r := range map[string]*registry.Registry{"at once": r, "after a restart": again} {
				if got := r.Sources(); !reflect.DeepEqual(got, was) {
					t.Errorf("%s: sources %+v, want %+v", when, got, was)
				}
				if got := r.SubscriptionRecords(); !reflect.DeepEqual(got, wasSubscribed) {
					t.Errorf("%s: subscriptions %+v, want %+v", when, got, wasSubscribed)
				}
			}
			if events, marked, secrets := eventsIn(t, dir), markedIn(t, dir), secretsIn(t, dir); events != wasLog || marked != 0 || secrets != wasSecrets {
				t.Errorf("secrets.db has %d events, %d of them marked, and %d secrets; want %d, none and %d", events, marked, secrets, wasLog, wasSecrets)
			}
			if err := command(t.Context(), r); err != nil {
				t.Errorf("again, with time enough: %v", err)
			}
			if got := len(log.all()); got != wasLog+1 {
				t.Errorf("the log has %d events, want %d: the command once", got, wasLog+1)
			}
		})
	}
}

// A refused command that secrets.db does not let go of is answered with schemas.ErrUncertain, and
// undone before the next one.
func TestRegistryUndoneLater(t *testing.T) {
	for name, command := range registryCommands {
		t.Run(name, func(t *testing.T) {
			dir, clock, lines, log := t.TempDir(), newClock(), &output{}, newLog(t)
			r := openRegistry(t, dir, clock, lines, log)
			addOld(t, r)
			inFile := func(statement string) {
				if _, err := secretsDB(t, dir).ExecContext(context.Background(), statement); err != nil {
					t.Error(err)
				}
			}
			log.before = func() {
				inFile(`CREATE TRIGGER kept BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'it stays'); END`)
				log.before = nil
			}
			log.fail(errDiskFull)
			if err := command(t.Context(), r); !errors.Is(err, schemas.ErrUncertain) || !errors.Is(err, errDiskFull) {
				t.Fatalf("error %v, want %v of %v", err, schemas.ErrUncertain, errDiskFull)
			}
			log.fail(nil)
			if err := command(t.Context(), r); err == nil {
				t.Fatal("a command while the one before is not undone: no error")
			}
			inFile(`DROP TRIGGER kept`)
			if err := command(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if events, marked := eventsIn(t, dir), markedIn(t, dir); events != 3 || marked != 0 || len(log.all()) != 3 {
				t.Errorf("%d events, %d marked, %d in the log; want 3, none, 3", events, marked, len(log.all()))
			}
		})
	}
}
