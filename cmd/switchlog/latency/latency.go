package latency

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Limits of a measurement.
const (
	MaxSwitches = 100
	Pace        = 550 * time.Millisecond // from one switch to the next: Discord takes two messages a second
	stepWithin  = 10 * time.Second       // for one switch to reach everybody
)

// Config is what to measure, and for how long.
type Config struct {
	Program  string                // the binary of switchlog
	Env      []string              // of its processes; SWITCHLOG_ variables are left out: settings of another server
	Dir      string                // an empty directory on the disk that is to be measured; the caller removes it
	Switches int                   // 1 to MaxSwitches
	Within   time.Duration         // no switch is begun after this time; the start does not count
	Progress func(done, total int) // is told after each switch; nil: nobody is
}

// Step is how long a switch took to one place, over all switches.
type Step struct {
	Name   string        `json:"step"`
	Median time.Duration `json:"p50_ns"`
	Worst  time.Duration `json:"worst_ns"`
}

// Result is what was measured.
type Result struct {
	Switches int           `json:"switches"`
	Start    time.Duration `json:"start_ns"` // from the start of the program to its first answer
	Steps    []Step        `json:"steps"`
}

// The steps of a switch, in the order they are told in.
var stepNames = []string{"answered 200", "event on NATS", "change on NATS", "message in Discord"}

const (
	stepAnswer = iota
	stepEvent
	stepChange
	stepMessage
)

// Run measures. It takes Within and the time of a start, some seconds.
func Run(ctx context.Context, c Config) (_ Result, err error) {
	if c.Switches < 1 || c.Switches > MaxSwitches {
		return Result{}, fmt.Errorf("latency: %d switches is not 1 to %d", c.Switches, MaxSwitches)
	}
	began := time.Now()
	w, err := open(ctx, c)
	if err != nil {
		return Result{}, fmt.Errorf("latency: %w", err)
	}
	defer func() { err = errors.Join(err, w.close()) }()
	r := Result{Start: time.Since(began)}
	took := make([][]time.Duration, len(stepNames))
	for until := time.Now().Add(c.Within); r.Switches < c.Switches && (r.Switches == 0 || time.Now().Before(until)); r.Switches++ {
		one, err := w.measure(ctx, r.Switches)
		if err != nil {
			return r, fmt.Errorf("latency: switch %d: %w", r.Switches+1, err)
		}
		for i, d := range one {
			took[i] = append(took[i], d)
		}
		if c.Progress != nil {
			c.Progress(r.Switches+1, c.Switches)
		}
		if !sleep(ctx, Pace) {
			return r, ctx.Err()
		}
	}
	for i, name := range stepNames {
		slices.Sort(took[i])
		n := len(took[i])
		r.Steps = append(r.Steps, Step{Name: name, Median: took[i][n/2], Worst: took[i][n-1]})
	}
	return r, nil
}

// system is PluralKit's uuid of the system that switches, and members who fronts
// in turn. They are made up.
const system = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"

var members = [2]string{"0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1", "1d94e7f3-6a2b-4c58-b7e0-3f5a8c1d2e62"}

// measure logs a switch as PluralKit tells it, and waits until all know of it.
func (w *world) measure(ctx context.Context, n int) (took [4]time.Duration, err error) {
	id := newUUID()
	body, err := json.Marshal(map[string]any{
		"type": "CREATE_SWITCH", "signing_token": w.token, "system_id": system, "id": id,
		"data": map[string]any{"id": id, "timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), "members": []string{members[n%2]}},
	})
	if err != nil {
		return took, err
	}
	ctx, cancel := context.WithTimeout(ctx, stepWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.public+"/in/pluralkit", bytes.NewReader(body))
	if err != nil {
		return took, err
	}
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	resp, err := w.client.Do(req)
	if err != nil {
		return took, err
	}
	took[stepAnswer] = time.Since(began)
	if err := resp.Body.Close(); err != nil {
		return took, err
	}
	if resp.StatusCode != http.StatusOK {
		return took, fmt.Errorf("it was answered %d", resp.StatusCode)
	}
	for _, step := range []int{stepEvent, stepChange, stepMessage} {
		select {
		case at := <-w.seen[step]:
			took[step] = at.Sub(began)
		case <-ctx.Done():
			return took, fmt.Errorf("%s: it did not come within %v", stepNames[step], stepWithin)
		}
	}
	return took, nil
}

func newUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // documented never to fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
