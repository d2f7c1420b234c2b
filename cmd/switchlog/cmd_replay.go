package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/schemas"
)

// maxLineBytes bounds a line of NDJSON: an event is at most 1 MiB.
const maxLineBytes = 2 << 20

func newReplay() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "The log again, as CloudEvents",
		Long: "The log again, as CloudEvents, in order: to the screen or a file as NDJSON, to a NATS subject, or\n" +
			"to a URL by POST. Nothing of switchlog itself is changed by it.",
		Example: "  switchlog replay > events.ndjson\n" +
			"  switchlog replay --type 'me.pluralkit.switch.*' --from 24h\n" +
			"  switchlog replay --from 1000 --to 2000 --out https://example.org/in --speed 1x",
	}
	f := cmd.Flags()
	tenant := f.String("tenant", "", "only this tenant's events")
	typ := f.String("type", "", "only event types that match, * standing for anything")
	from := f.String("from", "", "first event: a sequence number, a time (RFC 3339), or a duration ago (24h)")
	to := f.String("to", "", "end: the last sequence number, or the time before which it ends (default: the end as it is now)")
	speed := f.String("speed", "max", "max, or 1x to keep the pauses there were (2x: halved)")
	out := f.String("out", "-", "- or a file (NDJSON), nats:SUBJECT (an event larger than its max_payload comes without data), http(s)://URL")
	force := f.Bool("force", false, "overwrite the file that --out names")
	f.Bool("json", false, "what is written is always JSON, one event a line")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		pace, err := parseSpeed(*speed)
		if err != nil {
			return err
		}
		q := url.Values{}
		for name, value := range map[string]string{"tenant": *tenant, "type": *typ, "from": *from, "to": *to} {
			if value != "" {
				q.Set(name, value)
			}
		}
		// The server is asked first: what it refuses must not cost a file.
		body, err := c.do(ctx, "GET", "/api/admin/replay?"+q.Encode(), nil)
		if err != nil {
			return err
		}
		defer body.Close()
		to, err := openSink(ctx, c, *out, *force)
		if err != nil {
			return err
		}
		n, err := copyEvents(ctx, body, pace, to)
		if err := errors.Join(err, to.close()); err != nil {
			return err
		}
		c.saySent(n, *out)
		return nil
	})
}

// saySent says how many events went where, unless they are the output.
func (c *call) saySent(n int, out string) {
	switch {
	case n == 0:
		c.note("no event matches (hint: --tenant, --type, --from and --to say what is replayed; switchlog status says what there is)")
	case out != "-":
		c.note("%d %s written to %s", n, counted(n, "event", "events"), strings.TrimPrefix(out, "nats:"))
	}
}

// copyEvents sends every line of the answer to the sink and counts them. The
// server ends a replay with an empty line; an answer that just stops was cut
// short.
func copyEvents(ctx context.Context, body io.Reader, pace float64, to sink) (n int, err error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxLineBytes)
	var last time.Time
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			return n, nil
		}
		if pace > 0 {
			if last, err = waitLike(ctx, line, last, pace); err != nil {
				return n, err
			}
		}
		if err := to.send(ctx, line); err != nil {
			return n, err
		}
		n++
	}
	if err := lines.Err(); err != nil {
		return n, err
	}
	return n, errors.New("the replay was cut short (hint: run it again with --from after the last event received)")
}

// parseSpeed reads max (0) or a factor like 1x.
func parseSpeed(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	var factor float64
	if _, err := fmt.Sscanf(s, "%gx", &factor); err != nil || factor <= 0 || factor > 1e6 {
		return 0, fmt.Errorf("%w: --speed %q (hint: max, 1x, 10x)", errUsage, s)
	}
	return factor, nil
}

// waitLike waits as long as there was between the last event and this one,
// divided by pace.
func waitLike(ctx context.Context, line []byte, last time.Time, pace float64) (time.Time, error) {
	var e struct {
		Time time.Time `json:"time"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return last, err
	}
	if pause := time.Duration(float64(e.Time.Sub(last)) / pace); !last.IsZero() && pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return last, ctx.Err()
		}
	}
	return e.Time, nil
}

// sink is where replayed events go.
type sink struct {
	send  func(ctx context.Context, event []byte) error
	close func() error
}

func openSink(ctx context.Context, c *call, out string, force bool) (sink, error) {
	subject, isNATS := strings.CutPrefix(out, "nats:")
	switch {
	case out == "-":
		return lineSink(c.out, func() error { return nil }), nil
	case isNATS:
		return natsSink(ctx, c.client, subject)
	case strings.HasPrefix(out, "http://"), strings.HasPrefix(out, "https://"):
		return httpSink(out), nil
	case strings.Contains(out, "://"):
		return sink{}, fmt.Errorf("%w: --out %q: want a file, -, nats:SUBJECT, or a URL of http or https", errUsage, terminal.Plain(out))
	}
	f, err := createFile(out, force)
	if err != nil {
		return sink{}, err
	}
	return lineSink(f, f.Close), nil
}

// createFile makes a file for what a command answers. One that is there is
// overwritten only with --force.
func createFile(path string, force bool) (*os.File, error) {
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, how, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s is there already (hint: another name, or --force to overwrite it)", path)
	}
	return f, err
}

func lineSink(w io.Writer, closeFile func() error) sink {
	b := bufio.NewWriterSize(w, 64<<10)
	line := io.Writer(b)
	if _, ok := terminal.File(w); ok {
		line = terminal.EscapedJSON(b)
	}
	return sink{
		send: func(_ context.Context, event []byte) error {
			if _, err := line.Write(event); err != nil {
				return err
			}
			return b.WriteByte('\n')
		},
		close: func() error { return errors.Join(b.Flush(), closeFile()) },
	}
}

// natsSink publishes to a subject of the server's own NATS. What the log
// itself stores is refused: a replay must not write history.
func natsSink(ctx context.Context, c *client, subject string) (sink, error) {
	if subject == "" || strings.ContainsAny(subject, " \t*>") {
		return sink{}, fmt.Errorf("%w: --out nats:SUBJECT wants a subject without wildcards", errUsage)
	}
	for _, ours := range []string{"log", schemas.Events, schemas.Changes, "switchlog"} {
		if subject == ours || strings.HasPrefix(subject, ours+".") || strings.HasPrefix(subject, "$") {
			return sink{}, fmt.Errorf("%w: %s is switchlog's own subject (hint: choose another, e.g. nats:replay.mine)", errUsage, subject)
		}
	}
	nc, err := dialAsAdmin(ctx, c)
	if err != nil {
		return sink{}, err
	}
	return sink{
		send: func(_ context.Context, event []byte) error {
			m := &nats.Msg{Subject: subject, Data: bytes.Clone(event), Header: nats.Header{"Content-Type": {schemas.ContentType}}}
			if int64(m.Size()) > nc.MaxPayload() { // an outside server may take less than it did
				fits, err := schemas.WithoutData(schemas.Message{Body: event})
				if err != nil {
					return err
				}
				m.Data = fits.Body
			}
			return nc.PublishMsg(m)
		},
		close: func() error {
			err := nc.FlushTimeout(10 * time.Second)
			nc.Close()
			return err
		},
	}, nil
}

// httpSink posts each event in structured mode and stops at the first that is
// not taken.
func httpSink(to string) sink {
	hc := &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return sink{
		send: func(ctx context.Context, event []byte) error {
			req, err := http.NewRequestWithContext(ctx, "POST", to, bytes.NewReader(event))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", schemas.ContentType)
			res, err := hc.Do(req)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
			if err = errors.Join(err, res.Body.Close()); err != nil {
				return err
			}
			if res.StatusCode/100 != 2 {
				return fmt.Errorf("the receiver answers %s (hint: run the replay again with --from at the event it refused)", res.Status)
			}
			return nil
		},
		close: func() error { hc.CloseIdleConnections(); return nil },
	}
}
