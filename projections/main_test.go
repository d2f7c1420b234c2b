package projections

import (
	"context"
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loud is a log that fails a test by an error. A fold that refuses an event after it
// changed rows is told of there, and does no harm otherwise.
func loud(t errorer) *slog.Logger { return slog.New(loudHandler{t}) }

type errorer interface {
	Errorf(format string, args ...any)
}

type loudHandler struct{ t errorer }

func (h loudHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError
}

func (h loudHandler) Handle(_ context.Context, r slog.Record) error {
	h.t.Errorf("the database logged: %s", r.Message)
	return nil
}

func (h loudHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h loudHandler) WithGroup(string) slog.Handler      { return h }
