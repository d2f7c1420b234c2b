package test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
	"switchlog/test/faultfs"
)

// TestLaw1PowerCut cuts the power of the machine at random moments under load:
// whatever was not fsynced is gone, or there in part. Each 200 is in the log
// exactly once, in order, and the database equals a replay.
func TestLaw1PowerCut(t *testing.T) {
	t.Parallel()
	disk := faultfs.Mount(t)
	s := start(t, disk.Dir)
	t.Cleanup(s.kill) // before the disk goes
	s.addPluralKit()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var loads []*load
	for range rounds(5, 200) {
		loads = append(loads, powerCut(t, s, disk, random))
		s.start()
	}
	s.ready()
	checkLoad(t, Check(s), loads...)
}

// TestPowerCutIsSeen is the same on a disk whose fsync does nothing: then
// accepted events are lost, or the server says that its log is damaged. If this
// found nothing, the test above would prove nothing.
func TestPowerCutIsSeen(t *testing.T) {
	disk := faultfs.Mount(t)
	disk.Lie()
	s := start(t, disk.Dir)
	t.Cleanup(s.kill)
	s.addPluralKit()
	random := rand.New(rand.NewPCG(1, 0))
	for range 10 {
		l := powerCut(t, s, disk, random)
		if err := s.launch(); err != nil {
			t.Logf("it does not start on what was left: %v", err)
			return
		}
		if status, _, body := s.get("/readyz"); status != http.StatusOK {
			t.Logf("it starts, and says: %s", body)
			return
		}
		s.settled()
		accepted := l.accepted()
		for _, m := range s.stream(schemas.StreamEvents) {
			for _, ids := range l.accept {
				if slices.Contains(ids, strings.TrimPrefix(m.MsgID, "pluralkit/"+sampleSystem+"/create_switch.")) {
					accepted--
				}
			}
		}
		if accepted > 0 {
			t.Logf("%d of %d accepted events are lost", accepted, l.accepted())
			return
		}
	}
	t.Error("ten power cuts without fsync and nothing was lost: the test cannot see")
}

// powerCut cuts the power after some load. The server is dead after it, and
// what the disk lost is lost.
func powerCut(t *testing.T, s *server, disk *faultfs.FS, random *rand.Rand) *load {
	t.Helper()
	l := startLoad(t, s, 8)
	want := random.IntN(150)
	await(t, "load", func() bool { return l.accepted() >= want })
	moment := time.NewTimer(time.Duration(random.IntN(20_000)) * time.Microsecond)
	<-moment.C
	disk.Cut()
	s.kill()
	l.stop()
	disk.Restore(random)
	return l
}
