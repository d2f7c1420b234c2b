package statistics

import "time"

// Hours is front time in microseconds by weekday (0 is Monday) and hour of the
// day, by the clock on the wall.
type Hours [7][24]int64

// hourWalker adds stretches to the hours of a time zone.
type hourWalker struct {
	zone *time.Location
	sums Hours

	// The offset from UTC that was needed last, and from when to when it holds:
	// to ask the zone for each hour of ten years takes longer than all the rest.
	offsetUS, fromUS, untilUS int64
}

const (
	hourUS = int64(time.Hour / time.Microsecond)
	weekUS = 7 * 24 * hourUS
	// mondayUS is the Monday before 1970, which began on a Thursday.
	mondayUS = -3 * 24 * hourUS
)

// add walks in absolute time to the next full hour on the wall, or to where the
// zone's offset changes, whichever comes first. So an hour that is skipped in
// spring gets nothing, one that comes twice in autumn gets both, and zones that
// move by half an hour are right as well.
func (w *hourWalker) add(startUS, endUS int64) {
	for at := startUS; at < endUS; {
		w.findOffset(at)
		wall := at + w.offsetUS - mondayUS
		next := min(at+hourUS-modulo(wall, hourUS), w.untilUS, endUS)
		inWeek := modulo(wall, weekUS) / hourUS
		w.sums[inWeek/24][inWeek%24] += next - at
		at = next
	}
}

func (w *hourWalker) findOffset(us int64) {
	if w.fromUS <= us && us < w.untilUS {
		return
	}
	local := time.UnixMicro(us).In(w.zone)
	_, seconds := local.Zone()
	from, until := local.ZoneBounds()
	w.offsetUS, w.fromUS, w.untilUS = int64(seconds)*1e6, -1<<63, 1<<63-1
	if !from.IsZero() {
		w.fromUS = from.UnixMicro()
	}
	if !until.IsZero() {
		w.untilUS = until.UnixMicro()
	}
}

// modulo is the remainder that is not negative, also before 1970.
func modulo(a, b int64) int64 { return (a%b + b) % b }
