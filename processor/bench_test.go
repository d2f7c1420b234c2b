package processor

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"switchlog/schemas"
)

// BenchmarkAppend compares single publishes with one atomic batch, by size;
// batchFrom is where the batch begins to win.
func BenchmarkAppend(b *testing.B) {
	for _, way := range []string{"singles", "batch"} {
		for _, n := range []int{1, 8, 16, 24, 32, 48, 64, 128, 500, 1000} {
			if way == "singles" && n > 64 || way == "batch" && n == 1 {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", way, n), func(b *testing.B) {
				_, l, _ := freshLog(b)
				next := 1
				for b.Loop() {
					b.StopTimer()
					msgs := make([]*nats.Msg, n)
					for i, s := range spooled(b, next, n) {
						msgs[i] = message(s.Message)
					}
					next += n
					b.StartTimer()
					var err error
					if way == "batch" {
						_, _, err = l.storeBatch(b.Context(), schemas.StreamEvents, msgs)
					} else {
						_, _, err = l.storeSingles(b.Context(), schemas.StreamEvents, msgs)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(next-1)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// BenchmarkRead reads and decodes the log.
func BenchmarkRead(b *testing.B) {
	_, l, _ := freshLog(b)
	const events = 50_000
	for i := 0; i < events; i += 1000 {
		mustAppend(b, l, 1+i, 1000)
	}
	read := 0
	before := cpuTime(b)
	for b.Loop() {
		err := l.Read(b.Context(), ReadOptions{}, func(r schemas.Recorded, _ schemas.Message) error {
			read++
			return r.Fault
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if read%events != 0 {
		b.Fatalf("got %d events", read)
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(read), "cpu-µs/event")
}

// cpuTime is what this process has used: on a shared machine it says more
// than the clock.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
