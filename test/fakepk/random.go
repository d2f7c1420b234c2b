package fakepk

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// A Clock is the world's time when the test gives none: it starts on a fixed day and each user's action moves it on, by
// a step that is no whole number of milliseconds, so that a client that rounds timestamps is found out.
type Clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

const clockStep = 61*time.Second + 234567*time.Microsecond

// NewClock starts at t.
func NewClock(t time.Time) *Clock { return &Clock{now: t} }

// Now is the time; it does not move on by being asked.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d, which may be negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set moves the clock to t.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// ids makes every identifier from the seed. Only actions use it, one at a time.
type ids struct {
	rng    *rand.Rand
	forced []string // uuids a test wants next
	serial int64    // of the last snowflake, distinct within a millisecond
}

func newIDs(seed uint64) *ids { return &ids{rng: rand.New(rand.NewPCG(seed, 0x706c7572616c))} }

func (i *ids) bytes(n int) []byte {
	b := make([]byte, n)
	for k := range b {
		b[k] = byte(i.rng.Uint32())
	}
	return b
}

func (i *ids) uuid() string {
	if len(i.forced) > 0 {
		id := i.forced[0]
		i.forced = i.forced[1:]
		return id
	}
	b := i.bytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// hidAlphabet is what PluralKit generates short ids from; a custom one may have any letter.
const hidAlphabet = "abcefghjknoprstuvwxyz"

func (i *ids) hid(taken func(string) bool) string {
	for {
		b := make([]byte, 6)
		for k := range b {
			b[k] = hidAlphabet[i.rng.IntN(len(hidAlphabet))]
		}
		if !taken(string(b)) {
			return string(b)
		}
	}
}

// token is 48 random bytes: 64 characters of base64, never padded.
func (i *ids) token() string { return base64.StdEncoding.EncodeToString(i.bytes(48)) }

const discordEpochMillis = 1420070400000

// snowflake is a Discord id made at t.
func (i *ids) snowflake(t time.Time) string {
	i.serial++
	return strconv.FormatInt((t.UnixMilli()-discordEpochMillis)<<22|i.serial&0x3fffff, 10)
}

// snowflakeTime is when a Discord id was made, in whole seconds as PluralKit shows it.
func snowflakeTime(id string) time.Time { return snowflakeInstant(id).Truncate(time.Second) }

// snowflakeInstant is when a Discord id was made.
func snowflakeInstant(id string) time.Time {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("fakepk: %q is no snowflake", id))
	}
	return time.UnixMilli(n>>22 + discordEpochMillis).UTC()
}

// stored is t as PostgreSQL keeps it: microseconds, truncated.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
