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
	memoryLimit = 256 << 20 // bytes; a loaded server spent a quarter of its time collecting at 112 MB, a tenth at 160, a twentieth at 256
	memoryFree  = 192 << 20 // above what is in use
	tendEvery   = 2 * time.Second

	idleBytes = 4 << 20 // allocated between two looks: nothing much happens
	idleLooks = 5       // so often in a row, before memory is given back
	idleTwice = 10      // and again: what is pooled goes with the second
	idleLong  = 18      // and once more: after half a minute the NATS server forgets its ids
)

// tendMemory keeps the limit well above what is in use, so that one who has
// more to hold (many subjects, a large index) does not spend the time
// collecting. When there is nothing to do it gives memory back (the NATS server
// pools blocks of 8 MB), after rest has let go of what others keep. An operator
// who sets GOGC or GOMEMLIMIT has decided otherwise.
func tendMemory(ctx context.Context, rest func()) error {
	if was := debug.SetGCPercent(gcPercent); was != 100 {
		debug.SetGCPercent(was)
	}
	if debug.SetMemoryLimit(-1) != math.MaxInt64 { // asks
		return nil
	}
	look := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	limit, allocated, idle := int64(memoryLimit), uint64(0), idleLong
	for {
		debug.SetMemoryLimit(limit)
		if !pause(ctx, tendEvery) {
			return nil
		}
		metrics.Read(look)
		before := allocated
		allocated = look[1].Value.Uint64()
		if idle++; allocated-before > idleBytes {
			idle = 0
		}
		if idle == idleLooks || idle == idleTwice || idle == idleLong {
			rest()
			debug.FreeOSMemory()
			metrics.Read(look)
		}
		limit = max(memoryLimit, int64(look[0].Value.Uint64())+memoryFree)
	}
}
