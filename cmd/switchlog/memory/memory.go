// Package memory bounds how much memory the process takes: a limit for the
// garbage collector that follows what is in use, and memory given back to the
// system while there is nothing to do. It knows nothing of what is in memory.
package memory

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Most of what we allocate is a request or a message that is gone in a
// millisecond, and what stays is little. Go's default would look for garbage
// each time the heap has doubled from that little, many times a second; we let
// it grow further, up to a limit: a quarter of the machine's memory, between
// these two.
const (
	gcPercent = 400
	limitMost = 256 << 20 // bytes; a loaded server spent a quarter of its time collecting at 112 MB, a tenth at 160, a twentieth at 256
	limitLow  = 96 << 20
	limitHigh = 272 << 20 // for room to grow; with the caches of SQLite (some 75 MB) and the program itself the process stays below 400 MB
	tendEvery = 2 * time.Second

	idleBytes = 4 << 20 // allocated between two looks: nothing much happens
	idleLooks = 5       // so often in a row, before memory is given back
	idleTwice = 10      // and again: what is pooled goes with the second
	idleLong  = 18      // and once more: after half a minute the NATS server forgets its ids
)

// Tend keeps the limit well above what is in use, so that one who has
// more to hold (many subjects, a large index) does not spend the time
// collecting. When there is nothing to do it gives memory back (the NATS server
// pools blocks of 8 MB), after rest has let go of what others keep. An operator
// who sets GOGC or GOMEMLIMIT has decided otherwise.
func Tend(ctx context.Context, rest func()) error {
	if was := debug.SetGCPercent(gcPercent); was != 100 {
		debug.SetGCPercent(was)
	}
	if debug.SetMemoryLimit(-1) != math.MaxInt64 { // asks
		return nil
	}
	look := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	least := min(max(limitLow, machineMemory("/")/4), limitMost)
	limit, allocated, idle := least, uint64(0), idleLong
	for {
		debug.SetMemoryLimit(limit)
		select {
		case <-time.After(tendEvery):
		case <-ctx.Done():
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
		limit = limitFor(int64(look[0].Value.Uint64()), least)
	}
}

// limitFor is the limit for so many bytes in use: three quarters of the least
// limit above them, but not above limitHigh for that. Who has so much in use
// that hardly any room is left below gets a quarter more than it has.
func limitFor(live, least int64) int64 {
	return max(least, min(live+least*3/4, limitHigh), live+live/4)
}

// machineMemory is how many bytes of memory the machine has, or the control
// group that we run in may use if that is less: in a container, or by systemd's
// MemoryMax. Root is "/". What cannot be read limits nothing.
func machineMemory(root string) int64 {
	most := int64(math.MaxInt64)
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		most = int64(info.Totalram) * int64(info.Unit)
	}
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return most
	}
	for line := range strings.Lines(string(groups)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue // of version 1, which has no one limit of all
		}
		for ; ; path = filepath.Dir(path) { // a group has no more than those it is in
			text, err := os.ReadFile(filepath.Join(root, "sys/fs/cgroup", path, "memory.max"))
			if err == nil {
				if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil { // else it says max
					most = min(most, limit)
				}
			}
			if len(path) < 2 {
				break
			}
		}
	}
	return most
}
