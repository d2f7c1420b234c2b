package pluralkit_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchlog/ingest/pluralkit"
	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// TestLives: whatever some people do, and whatever of it is lost, late, doubled
// or silent on its way, after one reconciliation what we hold is what is true
// (P5), and every answer of the mirror is PluralKit's. The next one says
// nothing, and the log alone gives the same rows. SOAK=1 lives through more of
// it, and lets everyone ask everything.
func TestLives(t *testing.T) {
	lives := 300
	if soaking() {
		lives = 2500
	}
	if testing.Short() {
		lives = 40
	}
	var asked atomic.Int64
	t.Cleanup(func() { t.Logf("%d lives, %d answers of the mirror compared", lives, asked.Load()) })
	for part := range 10 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			for i := range lives / 10 {
				seed := uint64(part*lives/10 + i)
				asked.Add(int64(liveThrough(t, seed)))
			}
		})
	}
}

func soaking() bool { return os.Getenv("SOAK") != "" }

// liveThrough gives how many answers were compared.
func liveThrough(t *testing.T, seed uint64) (asked int) {
	defer sown(t, seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	odds := fakepk.Odds{APICreateSeen: 0.3, CounterFirst: 0.5, WriteFails: 0.05, EditLost: 0.05}
	config := fakepk.Config{Seed: seed, Odds: odds, Old: seed%3 == 0}
	inBubble(t, config, fakepk.APIConfig{}, func(l *live) {
		var subjects []*subject
		var lives []*fakepk.Life
		for n := range 1 + rng.IntN(3) {
			s := l.system(fmt.Sprintf("115000000000000020%d", n))
			subjects = append(subjects, s)
			life := s.Live(seed<<8 + uint64(n))
			life.Ties, life.Futures = rng.IntN(3) == 0, rng.IntN(3) == 0
			lives = append(lives, life)
		}
		for phase := range 2 {
			for range 10 + rng.IntN(30) {
				lives[rng.IntN(len(lives))].Steps(1 + rng.IntN(3))
				pluralkit.Later(time.Duration(rng.Int64N(int64(90 * time.Second))))
			}
			plan := fakepk.Plan{Seed: seed + uint64(phase)<<40, Drop: 0.3, Double: 0.1, Late: 0.2, LateBy: 8}
			ds := l.world.Deliveries()
			if len(ds) > 0 && rng.IntN(3) == 0 {
				from := ds[rng.IntN(len(ds))].N
				plan.Silence = []fakepk.Window{{From: from, To: from + 30}}
			}
			for _, d := range plan.Arrivals(ds) {
				l.hear([]fakepk.Delivery{d}, nobody)
				pluralkit.Later(time.Duration(rng.Int64N(int64(3 * time.Second))))
			}
			for _, s := range subjects {
				s.reconcile()
				s.converged()
			}
		}
		l.replays(subjects...)
		asked = l.sameAnswers(rng, soaking(), subjects...)
	})
	return asked
}

// sown says which seed a failed life grew from. A bubble that fails ends the
// goroutine of its test, so it is to be deferred.
func sown(t *testing.T, seed uint64) {
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}

// TestLiveRun: the reconciler runs while people live and webhooks arrive, in
// the middle of its looks too. What was told is never undone by what was asked
// before: when all is still and it has looked once more, everything is true.
func TestLiveRun(t *testing.T) {
	lives := 20
	if soaking() {
		lives = 200
	}
	for seed := range uint64(lives) {
		liveRun(t, seed)
	}
}

func liveRun(t *testing.T, seed uint64) {
	defer sown(t, seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	var during func()
	before := func(string) {
		if during != nil && rng.IntN(6) == 0 {
			during()
		}
	}
	config := fakepk.Config{Seed: seed, Odds: fakepk.Odds{APICreateSeen: 0.3, WriteFails: 0.05}}
	inBubble(t, config, fakepk.APIConfig{Before: before}, func(l *live) {
		s := l.system("1150000000000000200")
		life := s.Live(seed)
		plan := fakepk.Plan{Seed: seed, Drop: 0.2, Double: 0.1}
		act := func() {
			life.Steps(1)
			l.hear(plan.Arrivals(l.world.Deliveries()), s.Seen)
		}
		for range 30 {
			act()
			pluralkit.Later(time.Duration(rng.Int64N(int64(60 * time.Second))))
		}
		for range 5 {
			during = act
			if _, err := s.Reconcile(l.t.Context(), pluralkit.Full, false); err != nil {
				l.t.Fatal(err)
			}
			during = nil
			for range 5 {
				act()
				pluralkit.Later(time.Duration(rng.Int64N(int64(5 * time.Second))))
			}
		}
		s.reconcile()
		s.converged()
		l.replays(s)
		l.sameAnswers(rng, false, s)
	})
}

// TestNoSecrets: nothing of what was asked for or heard carries one. Law 9.
func TestNoSecrets(t *testing.T) {
	inBubble(t, fakepk.Config{}, fakepk.APIConfig{}, func(l *live) {
		s := l.system("1150000000000000200")
		s.Live(1).Steps(100)
		l.hear(l.world.Deliveries(), nobody)
		s.reconcile()
		_, signing := s.Webhook()
		for _, e := range l.log {
			m, err := e.Message()
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{signing, s.Token(), hook} {
				if e.Origin == schemas.OriginAPI && strings.Contains(string(m.Body), secret) {
					t.Errorf("%s carries a secret", e.Type)
				}
			}
		}
	})
}
