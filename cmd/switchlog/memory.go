package main

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Most of what we allocate is a request or a message that is gone in a
// millisecond, and what stays is little. Go's default would look for garbage
// each time the heap has doubled from that little, many times a second; we let
// it grow further, up to a limit.
const (
	gcPercent   = 400
	memoryLimit = 112 << 20 // bytes; with SQLite's caches and the program itself we stay below 200 MB
	tendEvery   = 10 * time.Second
)

// tendMemory keeps the limit at what is in use and as much again, so that
// one who has more to hold (many subjects, a large index) does not spend the
// time collecting. An operator who sets GOGC or GOMEMLIMIT has decided otherwise.
func tendMemory(ctx context.Context) error {
	if was := debug.SetGCPercent(gcPercent); was != 100 {
		debug.SetGCPercent(was)
	}
	if debug.SetMemoryLimit(-1) != math.MaxInt64 { // asks
		return nil
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for limit := int64(memoryLimit); ; {
		debug.SetMemoryLimit(limit)
		if !pause(ctx, tendEvery) {
			return nil
		}
		metrics.Read(live)
		limit = max(memoryLimit, 2*int64(live[0].Value.Uint64()))
	}
}
