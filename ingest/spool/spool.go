package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

var (
	// ErrBusy says that the queue before the writer is full. Nothing of the
	// call was stored; trying again soon may help.
	ErrBusy = errors.New("spool busy")

	// ErrFull says that the disk, or the spool's own limit, has no room or the
	// disk refused the write. Nothing of the call was stored.
	ErrFull = errors.New("spool full")

	// ErrStopped says that the writer has ended. Nothing of the call was stored.
	ErrStopped = errors.New("spool stopped")

	// ErrDamaged says that the file is not what a spool left behind. It is
	// never created again in its place: a person decides.
	ErrDamaged = errors.New("spool damaged")
)

// Config is what a spool needs. Only Path has no default.
type Config struct {
	// Path is the file; beside it SQLite keeps {path}-wal and {path}-shm, and
	// {path}.lock keeps a second process out. All have mode 0600.
	Path string

	// MaxWaiting is how many bytes of events may wait; 0 means 4 GiB.
	MaxWaiting int64

	Now     func() time.Time      // nil: time.Now
	Logger  *slog.Logger          // nil: silent
	Metrics prometheus.Registerer // nil: not registered
}

// Spool is an open spool. Append, State and Anchor may be called from
// anywhere; Run and Forward each once.
type Spool struct {
	cfg     Config
	logger  *slog.Logger
	metrics *metrics
	lock    *os.File

	queue       chan *request
	queuedBytes atomic.Int64 // of all requests in queue
	batch       []*request   // the writer's, reused
	started     atomic.Bool
	stopped     chan struct{} // closed when Run has ended

	file     *file     // Run's while it runs, then Close's
	reader   *reader   // Forward's
	batchAt  time.Time // Forward's: when the last batch began
	openedAt uint64    // last position handed out when the file was opened

	diskFree func(path string) (free, total uint64, err error) // in bytes; statfs

	more      chan struct{} // tells Forward that rows were stored
	delivered chan struct{} // tells Run that the log has taken rows

	mu    sync.Mutex // guards what follows
	known known
	moved chan struct{} // closed and replaced whenever known.delivered moves
}

// known is what writer and forwarder tell each other and the world.
type known struct {
	id       string
	last     uint64 // last position that is durable; set by the writer
	bytes    int64  // of the rows in the file; set by the writer
	aside    aside  // set by the writer
	storeErr error  // why the last transaction failed; nil: it did not

	delivered uint64         // everything up to here is in the log; set by the forwarder
	anchor    schemas.Anchor // the log as last seen; set by the forwarder
	oldest    time.Time      // when the first undelivered event was accepted; old news if there is none
	forwarder error          // why forwarding stands still; nil: it does not
	recovered bool           // the log was asked at least once since Open
	limit     int            // bytes of an event that the log's server takes; 0: not known; set by the forwarder
}

// Open opens the spool at cfg.Path, or makes one if there is no such file. It
// starts nothing. A file that is damaged is ErrDamaged.
func Open(cfg Config) (*Spool, error) {
	if cfg.MaxWaiting == 0 {
		cfg.MaxWaiting = 4 << 30
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Spool{
		cfg: cfg, logger: cfg.Logger, diskFree: diskFree,
		queue:     make(chan *request, maxQueue),
		stopped:   make(chan struct{}),
		more:      make(chan struct{}, 1),
		delivered: make(chan struct{}, 1),
		moved:     make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("spool %s: %w", cfg.Path, err), s.release())
	}
	return s, nil
}

func (s *Spool) open() (err error) {
	if s.lock, err = lockFile(s.cfg.Path + ".lock"); err != nil {
		return err
	}
	if err = prepare(s.cfg.Path); err != nil {
		return err
	}
	if s.file, err = openFile(s.cfg.Path, s.cfg.Now); err != nil {
		return err
	}
	if s.reader, err = openReader(s.cfg.Path); err != nil {
		return err
	}
	at := s.file.at
	s.openedAt = at.last
	s.known = known{id: at.id, last: at.last, bytes: at.bytes, delivered: at.delivered, anchor: at.anchor, aside: at.aside}
	if s.known.oldest, err = s.reader.acceptedAfter(at.delivered); err != nil {
		return err
	}
	s.metrics, err = newMetrics(s.cfg.Metrics, s)
	return err
}

// Close writes down what is still only in memory and closes the file. Call it
// when Forward has returned; it waits for Run, if that was started, and whoever
// is in Append then gets ErrStopped.
func (s *Spool) Close() error {
	if s.started.Swap(true) {
		<-s.stopped
	} else {
		close(s.stopped) // whoever waits in Append need not wait longer
	}
	if err := s.write(nil); err != nil {
		s.logger.Warn("spool: what was delivered last is not noted; the log will tell at the next start", "err", err)
	}
	return s.release()
}

func (s *Spool) release() error {
	var errs []error
	if s.reader != nil {
		errs = append(errs, s.reader.close())
	}
	if s.file != nil {
		errs = append(errs, s.file.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// poke wakes whoever listens on c, once however often it is called.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// withTimeoutAfter gives a context that ends d after ctx does: work that was
// begun may be finished, but not for ever.
func withTimeoutAfter(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	timer := time.AfterFunc(time.Hour, cancel)
	timer.Stop()
	stop := context.AfterFunc(ctx, func() { timer.Reset(d) })
	return out, func() { stop(); timer.Stop(); cancel() }
}
