package fakepk

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	dispatchUserAgent = "PluralKit Dispatch (https://pluralkit.me/api/dispatch/)"
	dispatchBudget    = 10 * time.Second // connect, TLS, write and response headers together
)

// DispatcherConfig says how a Dispatcher sends; the zero value works.
type DispatcherConfig struct {
	Plan Plan
	// Parallel sends each delivery at once in a goroutine of its own, as PluralKit does. Otherwise the action that made
	// it waits until it was sent, in the order the Plan decides, so that a test is the same each time.
	Parallel bool
	Budget   time.Duration // of one delivery; 0: PluralKit's 10 s
	TLS      *tls.Config   // roots a test trusts; nil: the machine's
}

// A Result is what became of one request. PluralKit never looks at it.
type Result struct {
	Delivery Delivery
	Status   int // 0: no answer
	Err      error
	Took     time.Duration
}

// A Dispatcher POSTs a world's deliveries to their addresses: HTTP/1.1, each over a new connection, once, whatever the
// answer.
type Dispatcher struct {
	conf DispatcherConfig
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	queue   *queue
	results []Result
	silent  bool
}

// NewDispatcher attaches to the world until Close.
func NewDispatcher(w *World, c DispatcherConfig) *Dispatcher {
	if c.Budget == 0 {
		c.Budget = dispatchBudget
	}
	d := &Dispatcher{conf: c, queue: newQueue(c.Plan)}
	d.ctx, d.stop = context.WithCancel(context.Background())
	w.Dispatch(d.take)
	return d
}

// Silence stops everything from arriving, as long as it is on.
func (d *Dispatcher) Silence(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silent = on
}

func (d *Dispatcher) take(delivery Delivery) {
	d.mu.Lock()
	now := d.queue.push(delivery)
	if d.silent {
		now = nil
	}
	d.mu.Unlock()
	d.sendAll(now)
}

// Flush sends what the plan holds back and waits until everything is sent.
func (d *Dispatcher) Flush() {
	d.mu.Lock()
	now := d.queue.flush()
	if d.silent {
		now = nil
	}
	d.mu.Unlock()
	d.sendAll(now)
	d.wg.Wait()
}

// Close cuts off what is under way and waits for it. Detach the world first when it goes on acting.
func (d *Dispatcher) Close() {
	d.stop()
	d.wg.Wait()
}

// Results are the requests that have ended, in the order they did.
func (d *Dispatcher) Results() []Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Result(nil), d.results...)
}

func (d *Dispatcher) sendAll(list []Delivery) {
	for _, delivery := range list {
		if !d.conf.Parallel {
			d.send(delivery)
			continue
		}
		d.mu.Lock()
		delay := d.queue.delay()
		d.mu.Unlock()
		d.wg.Go(func() {
			timer := time.NewTimer(delay)
			defer timer.Stop()
			select {
			case <-timer.C:
				d.send(delivery)
			case <-d.ctx.Done():
			}
		})
	}
}

func (d *Dispatcher) send(delivery Delivery) {
	client := newClient(d.conf.Budget, d.conf.TLS)
	defer client.CloseIdleConnections()
	begun := time.Now()
	status, err := post(d.ctx, client, delivery.URL, delivery.Body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.results = append(d.results, Result{delivery, status, err, time.Since(begun)})
}

// newClient is the dispatch proxy's: HTTP/1.1 only, no compression, no redirects.
func newClient(budget time.Duration, roots *tls.Config) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Client{
		Timeout:       budget,
		Transport:     &http.Transport{DisableCompression: true, Protocols: protocols, TLSClientConfig: roots},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post sends one body and returns the status; the answer's body is not read.
func post(ctx context.Context, client *http.Client, url string, body []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("dispatch: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", dispatchUserAgent)
	req.Header.Set("Accept", "*/*")
	res, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("dispatch: %w", err)
	}
	return res.StatusCode, res.Body.Close()
}
