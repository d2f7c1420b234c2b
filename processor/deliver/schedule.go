package deliver

import (
	"encoding/json"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// schedule is how long after a failed attempt the next is made, each 10 % more
// or less: nine attempts in 65 h 35 min. It begins as Standard Webhooks
// suggests.
var schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, day, day,
}

// failingFor is for how long a subscription may fail without a success until
// it is disabled.
const failingFor = 5 * day

// retryIn is how long after attempt n (from 1) of a delivery the next one is
// made. False: there is none. The delay follows from the delivery: many that
// failed together do not come back together.
func retryIn(delivery string, n int) (time.Duration, bool) {
	if n < 1 || n > len(schedule) {
		return 0, false
	}
	h := fnv.New32a()
	h.Write([]byte(delivery + "." + strconv.Itoa(n)))
	d := schedule[n-1]
	return d - d/10 + time.Duration(float64(d)/5*float64(h.Sum32())/float64(1<<32)), true
}

// retryAfter reads the header Retry-After: seconds, or a date. It is bounded
// by a day. False: there is none that one can read.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if text == "" {
		return 0, false
	}
	if d := seconds(text); d > 0 || text == "0" {
		return d, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), day), true
}

// throttleWait is how long an answer of 429 asks to wait. Discord says it best
// in the body: to the millisecond, and for the whole address if it is so.
func throttleWait(h http.Header, body []byte) (time.Duration, bool) {
	var discord struct {
		RetryAfter json.Number `json:"retry_after"`
	}
	if err := json.Unmarshal(body, &discord); err == nil {
		if d := seconds(discord.RetryAfter.String()); d > 0 {
			return d, true
		}
	}
	if d, ok := retryAfter(h, time.Now()); ok {
		return d, true
	}
	if d := seconds(h.Get("X-RateLimit-Reset-After")); d > 0 {
		return d, true
	}
	return 0, false
}

// A subscription that failed circuitOpensAfter times in a row has its circuit open: one
// attempt is made, then after a pause another, until one succeeds. The others
// that are due wait, and lose none of their attempts by it.
const (
	circuitOpensAfter = 5
	halfOpenMin       = 2 * time.Second
	halfOpenMax       = time.Minute
)

// halfOpenIn is the pause after so many failures in a row.
func halfOpenIn(failures int) time.Duration {
	return min(halfOpenMin<<min(max(failures-circuitOpensAfter, 0), 10), halfOpenMax)
}
