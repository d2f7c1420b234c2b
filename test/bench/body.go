//go:build linux

package main

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// The system that sends. The token has the length of a real one.
const (
	system = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"
	token  = "bench+token/of+64+characters/as+PluralKit/makes/them/no+secret+x"
)

// members switch in turn, so that each switch changes who fronts.
var members = [2]string{"0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1", "1d94e7f3-6a2b-4c58-b7e0-3f5a8c1d2e62"}

// switchID is the uuid of the n-th switch, and switchNumber its n.
func switchID(n uint64) string { return string(appendID(nil, n)) }

func appendID(b []byte, n uint64) []byte {
	b = append(b, "0000beac-0000-4000-8000-"...)
	return append(b, fmt.Sprintf("%012x", n)...)
}

func switchNumber(id string) (n uint64, ok bool) {
	if len(id) != 36 {
		return 0, false
	}
	n, err := strconv.ParseUint(id[24:], 16, 64)
	return n, err == nil
}

// epoch is when the first switch is said to have happened; each is a
// millisecond after the one before.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// poster makes requests as PluralKit does: a CREATE_SWITCH each, of about
// 350 bytes. It fills in what differs and formats nothing.
type poster struct {
	text       []byte
	ids        [2]int // where the switch's number stands
	at, member int
	hexBuffer  [6]byte
	time       []byte
}

const stamp = "2006-01-02T15:04:05.000"

func newPoster(host string) *poster {
	id := switchID(0)
	body := fmt.Sprintf(`{"type":"CREATE_SWITCH","signing_token":%q,"system_id":%q,"id":%q,"data":{"id":%q,"timestamp":%q,"members":[%q]}}`,
		token, system, id, id, stamp+"Z", members[0])
	head := fmt.Sprintf("POST /in/pluralkit HTTP/1.1\r\nHost: %s\r\nUser-Agent: PluralKit Dispatch (https://pluralkit.me/api/dispatch/)\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", host, len(body))
	p := &poster{text: []byte(head + body)}
	find := func(s string, from int) int {
		for i := from; ; i++ {
			if string(p.text[i:i+len(s)]) == s {
				return i
			}
		}
	}
	p.ids[0] = find(id, 0) + 24
	p.ids[1] = find(id, p.ids[0]) + 24
	p.at = find(stamp, 0)
	p.member = find(members[0], 0)
	return p
}

// request appends the n-th request.
func (p *poster) request(b []byte, n uint64) []byte {
	for i := range p.hexBuffer {
		p.hexBuffer[i] = byte(n >> (40 - 8*i))
	}
	hex.Encode(p.text[p.ids[0]:], p.hexBuffer[:])
	copy(p.text[p.ids[1]:p.ids[1]+12], p.text[p.ids[0]:])
	p.time = epoch.Add(time.Duration(n)*time.Millisecond).AppendFormat(p.time[:0], stamp)
	copy(p.text[p.at:], p.time)
	copy(p.text[p.member:], members[n%2])
	return append(b, p.text...)
}
