package test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// load posts bodies of one system from several connections until it is told
// to stop, and remembers which were answered 200. Each connection sends one
// after another, so its bodies must come in that order.
type load struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	accept  [][]string // by connection: the switches that were accepted, in order
	unsure  map[string]bool
	refused int // answered, but not 200
}

// startLoad posts to the public listener of s. ids continue over restarts.
func startLoad(t *testing.T, s *server, connections int) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{cancel: cancel, accept: make([][]string, connections), unsure: map[string]bool{}}
	url := s.Public + "/in/pluralkit"
	for c := range connections {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				id := uuid.NewString()
				status, err := postTo(url, switchBody(id, time.Now()))
				l.note(c, id, status, err)
				if err != nil {
					return // the server is gone
				}
			}
		})
	}
	return l
}

func (l *load) note(connection int, id string, status int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.unsure[id] = true
	case status == 200:
		l.accept[connection] = append(l.accept[connection], id)
	default:
		l.refused++
		l.unsure[id] = true
	}
}

// accepted is how many were answered 200 so far.
func (l *load) accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, ids := range l.accept {
		n += len(ids)
	}
	return n
}

// stop ends the load and waits for it.
func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
}

// switchBody is a CREATE_SWITCH of the sample system with a uuid of its own.
func switchBody(id string, at time.Time) []byte {
	return fmt.Appendf(nil, `{"type":"CREATE_SWITCH","signing_token":%q,"system_id":%q,"id":%q,"data":{"id":%q,"timestamp":%q,"members":["0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"]}}`,
		sampleToken, sampleSystem, id, id, at.UTC().Format(time.RFC3339Nano))
}

// checkLoad wants each accepted switch in the log once, in the order it was
// accepted on its connection, and nothing that was not sent.
func checkLoad(t *testing.T, log []stored, loads ...*load) {
	t.Helper()
	at := map[string]int{}
	for i, m := range log {
		if id, ok := strings.CutPrefix(m.MsgID, "pluralkit/"+sampleSystem+"/create_switch."); ok {
			if _, twice := at[id]; twice {
				t.Errorf("Law 1: switch %s is in the log twice", id)
			}
			at[id] = i
		}
	}
	total := 0
	for _, l := range loads {
		for _, ids := range l.accept {
			last := -1
			for _, id := range ids {
				i, ok := at[id]
				switch {
				case !ok:
					t.Errorf("Law 1: switch %s was answered 200 and is not in the log", id)
				case i < last:
					t.Errorf("Law 1: switch %s is at %d, after one that was accepted later", id, i)
				}
				last = i
				delete(at, id)
			}
			total += len(ids)
		}
		for id := range l.unsure {
			delete(at, id) // it may be there or not: its sender was not told
		}
	}
	if len(at) > 0 {
		t.Errorf("%d switches are in the log that nobody sent", len(at))
	}
	t.Logf("%d accepted, each in the log once and in order", total)
}
