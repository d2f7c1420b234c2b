package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

// Metadata keys of our streams.
const (
	epochKey  = "switchlog_epoch"  // random, made with the stream: another stream of that name is another log
	erasedKey = "switchlog_erased" // how many messages Erase took out of it: the gaps that are meant to be there
)

// duplicateWindow is how long the server remembers message ids. It covers a
// message that arrives late or is sent again, see the package's Law 1; whatever
// may come later than that is for Recover and the spool. Longer would be dear:
// an id takes 150 B in each of two streams, and a start reads all events of the
// window.
const duplicateWindow = 30 * time.Second

// A bucket is a stream, and a put a message (ADR-8). Putting them there
// ourselves, many go as one batch: one fsync, not one each.
const (
	frontersStream = "KV_" + schemas.BucketFronters
	frontersPrefix = "$KV." + schemas.BucketFronters + "."
)

// streamConfig is what a stream of ours looks like: everything is kept, for
// ever, and republished below another name once it is stored. Deleting is
// allowed, since erasure needs it. No compression: with it, one flipped bit
// in a block makes the server drop the whole stream.
func (l *Log) streamConfig(name, subjects, live, epoch string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               name,
		Description:        streamDescriptions[name],
		Subjects:           []string{subjects + ".>"},
		Storage:            jetstream.FileStorage,
		Compression:        jetstream.NoCompression,
		Retention:          jetstream.LimitsPolicy,
		Discard:            jetstream.DiscardNew,
		Duplicates:         duplicateWindow,
		Replicas:           l.replicas,
		RePublish:          &jetstream.RePublish{Source: subjects + ".>", Destination: live + ".>"},
		AllowAtomicPublish: true,
		Metadata:           map[string]string{epochKey: epoch},
	}
}

// streamDescriptions are for whoever lists streams.
var streamDescriptions = map[string]string{
	schemas.StreamEvents:  "the log: every event that was accepted, in order; live under events.>",
	schemas.StreamChanges: "what each event made different, names resolved; live under changes.>",
}

// create makes what is missing of the streams and the bucket. What exists
// stays as it is. Killed half-way, it goes on where it was.
func (l *Log) create(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*l.timeout)
	defer cancel()
	for _, c := range []jetstream.StreamConfig{
		l.streamConfig(schemas.StreamChanges, schemas.LogChanges, schemas.Changes, schemas.NewID()),
		l.streamConfig(schemas.StreamEvents, schemas.LogEvents, schemas.Events, schemas.NewID()),
	} {
		_, err := l.js.Stream(ctx, c.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			l.log.Info("creating stream", "stream", c.Name, "epoch", c.Metadata[epochKey])
			_, err = l.js.CreateStream(ctx, c)
		}
		if err != nil {
			return fmt.Errorf("log: create stream %s: %w", c.Name, err)
		}
	}
	_, err := l.js.KeyValue(ctx, schemas.BucketFronters)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		_, err = l.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: schemas.BucketFronters, Description: "who fronts now, by tenant",
			Storage: jetstream.FileStorage, Replicas: l.replicas,
		})
	}
	if err != nil {
		return fmt.Errorf("log: create bucket %s: %w", schemas.BucketFronters, err)
	}
	s, err := l.js.Stream(ctx, frontersStream)
	if err == nil && !s.CachedInfo().Config.AllowAtomicPublish {
		c := s.CachedInfo().Config
		c.AllowAtomicPublish = true
		_, err = l.js.UpdateStream(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("log: create bucket %s: batches: %w", schemas.BucketFronters, err)
	}
	return nil
}

// require holds that everything is there that was once created, and still
// keeps what it is given. It returns the state of EVENTS.
func (l *Log) require(ctx context.Context) (*jetstream.StreamInfo, error) {
	events, err := l.ours(ctx, schemas.StreamEvents, schemas.LogEvents, schemas.Events)
	if err != nil {
		return nil, err
	}
	if _, err := l.ours(ctx, schemas.StreamChanges, schemas.LogChanges, schemas.Changes); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	_, err = l.js.KeyValue(ctx, schemas.BucketFronters)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, fmt.Errorf("log: %w: bucket %s is gone %s", schemas.ErrLogDamaged, schemas.BucketFronters, hintGone)
	}
	if err != nil {
		return nil, fmt.Errorf("log: bucket %s: %w", schemas.BucketFronters, err)
	}
	return events, nil
}

// What only a person can put right.
const (
	restore     = "stop switchlog and put a good copy of the directory nats/ back, or of the store directory of a NATS server elsewhere"
	hintRestore = "(hint: " + restore + ")"
	hintGone    = "(hint: is this the right NATS server and data directory? If so, " + restore + ")"
)

func (l *Log) ours(ctx context.Context, name, subjects, live string) (*jetstream.StreamInfo, error) {
	info, err := l.stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("log: %w: stream %s is gone, though it was there before %s", schemas.ErrLogDamaged, name, hintGone)
	}
	if err != nil {
		return nil, err
	}
	c, want := info.Config, l.streamConfig(name, subjects, live, "")
	l.mu.Lock()
	l.maxMsgSize[name] = max(0, int(c.MaxMsgSize))
	l.mu.Unlock()
	wrong := ""
	switch {
	case c.Metadata[epochKey] == "":
		wrong = "it was not made by switchlog"
	case !slices.Equal(c.Subjects, want.Subjects) || c.RePublish == nil || *c.RePublish != *want.RePublish:
		wrong = "its subjects are not switchlog's"
	case c.Storage != want.Storage || c.PersistMode == jetstream.AsyncPersistMode:
		wrong = "it is not kept on disk"
	case c.Retention != want.Retention || c.MaxAge != 0 || c.MaxMsgs > 0 || c.MaxMsgsPerSubject > 0 || c.Discard != want.Discard:
		wrong = "it is set to drop messages"
	case c.MaxMsgSize > 0 && c.MaxMsgSize < minPayload:
		wrong = fmt.Sprintf("its messages may have %d bytes, and %d are needed", c.MaxMsgSize, minPayload)
	case c.Duplicates < want.Duplicates:
		wrong = "its duplicate window is shorter than " + want.Duplicates.String()
	}
	if wrong != "" {
		return nil, fmt.Errorf("log: stream %s: %s (hint: `nats stream info %s` shows its configuration; undo what was changed there, or use another account)",
			name, wrong, name)
	}
	return info, nil
}

// Erase takes messages out of the log for good, their bytes included (Law 2's
// one exception, for an operator's forget). It rewrites a block of up to
// 8 MB for each, about 8 ms. Sequences that hold no message are fine, so it
// can be repeated after a crash.
//
// What was erased is counted in the stream's metadata before the first
// message goes: this is how a gap that was meant is told from a damaged log.
func (l *Log) Erase(ctx context.Context, seqs []uint64) error {
	info, err := l.Info(ctx)
	if err != nil {
		return err
	}
	if info.Missing > info.Erased {
		return fmt.Errorf("log: erase: %w", damaged(info))
	}
	var there []uint64
	for _, seq := range seqs {
		_, err := l.raw(ctx, schemas.StreamEvents, seq)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		there = append(there, seq)
	}
	slices.Sort(there)
	there = slices.Compact(there)
	if len(there) == 0 {
		return nil
	}
	s, err := l.js.Stream(ctx, schemas.StreamEvents)
	if err != nil {
		return fmt.Errorf("log: erase: %w", err)
	}
	c := s.CachedInfo().Config
	c.Metadata[erasedKey] = strconv.FormatUint(info.Missing+uint64(len(there)), 10)
	if _, err := l.js.UpdateStream(ctx, c); err != nil {
		return fmt.Errorf("log: erase: note it in the stream: %w", err)
	}
	for _, seq := range there {
		if err := s.SecureDeleteMsg(ctx, seq); err != nil {
			return fmt.Errorf("log: erase: seq %d: %w (hint: run it again)", seq, err)
		}
	}
	_, err = l.Info(ctx)
	return err
}

// damaged says that messages are missing that nobody erased.
func damaged(i Info) error {
	return fmt.Errorf("%w: the log ends at %d and holds %d messages, so %d are missing, but only %d were erased %s",
		schemas.ErrLogDamaged, i.Last, i.Messages, i.Missing, i.Erased, hintRestore)
}
