package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"
)

// servers are the HTTP servers of a node, stopped together.
type servers struct {
	log   *slog.Logger
	group *errgroup.Group
	all   []*http.Server
}

// serve serves on l until stop.
func (s *servers) serve(l net.Listener, srv *http.Server) {
	srv.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)
	s.all = append(s.all, srv)
	s.group.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// stop lets requests that have begun finish, for stopWithin; then it cuts
// them off.
func (s *servers) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(s.all))
	for i, srv := range s.all {
		wg.Go(func() {
			if err := srv.Shutdown(ctx); err != nil {
				errs[i] = srv.Close() // time is up: cut them off
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func baseContext(ctx context.Context) func(net.Listener) context.Context {
	return func(net.Listener) context.Context { return ctx }
}
