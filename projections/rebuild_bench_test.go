package projections

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
	"switchlog/test/mix"
)

// BenchmarkRebuild folds a log of so many events of a realistic mix into a
// scratch (N3), from stored messages in memory to rows in the file. Making the
// messages is not measured. cpu-µs/event is what to compare on a machine that
// others use too.
func BenchmarkRebuild(b *testing.B) {
	for _, size := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("events=%d", size), func(b *testing.B) {
			for range b.N {
				rebuildMix(b, size)
			}
		})
	}
}

func rebuildMix(b *testing.B, size int) {
	b.StopTimer()
	live := openTest(b, All)
	s, err := live.Scratch(uint64(size)) // nothing of it is to be sent
	if err != nil {
		b.Fatal(err)
	}
	m := mix.New(1, 1000)
	var wall, cpu int64
	var parsed []schemas.Recorded
	for seq := 1; seq <= size || len(parsed) > 0; {
		messages := make([]schemas.Message, 0, 5000)
		for range min(cap(messages), size-seq+1) {
			message, err := m.Next().Message()
			if err != nil {
				b.Fatal(err)
			}
			messages = append(messages, message)
		}
		b.StartTimer()
		begun, used := time.Now(), cpuTime(b)
		// As in a rebuild, one batch is read while the one before it is folded.
		folded := make(chan error, 1)
		go func(batch []schemas.Recorded) { folded <- s.Apply(b.Context(), "epoch", batch) }(parsed)
		batch := make([]schemas.Recorded, len(messages))
		for i, message := range messages {
			e, err := schemas.ParseMessage(message)
			if err != nil {
				b.Fatal(err)
			}
			batch[i] = schemas.Recorded{Event: e, Seq: uint64(seq)}
			seq++
		}
		if err := <-folded; err != nil {
			b.Fatal(err)
		}
		parsed = batch
		wall, cpu = wall+int64(time.Since(begun)), cpu+cpuTime(b)-used
		b.StopTimer()
	}
	b.StartTimer()
	begun, used := time.Now(), cpuTime(b)
	if _, err := s.SkippedCount(b.Context()); err != nil { // it has what is in memory only written
		b.Fatal(err)
	}
	wall, cpu = wall+int64(time.Since(begun)), cpu+cpuTime(b)-used
	b.StopTimer()
	b.ReportMetric(float64(size)*1e9/float64(wall), "events/s")
	b.ReportMetric(float64(cpu)/1000/float64(size), "cpu-µs/event")
	b.ReportMetric(peakRSS(b), "peak-MB")
	b.ReportMetric(float64(s.Bytes()>>20), "file-MB")
	if err := s.Discard(); err != nil {
		b.Fatal(err)
	}
}

// peakRSS is the most memory this process ever had, in MB: run one size alone.
func peakRSS(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kB float64
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		b.Fatal(err)
	}
	return kB / 1000
}
