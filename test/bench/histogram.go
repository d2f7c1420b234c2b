//go:build linux

package main

import (
	"math/bits"
	"time"
)

// histogram counts durations exactly to within 1/64 of their size: a bucket
// for each of 64 parts of every power of two of nanoseconds.
type histogram struct {
	counts [64 * 64]uint64
	n      uint64
	max    time.Duration
}

const partBits = 6 // 64 parts

func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < 1<<partBits {
		return int(v)
	}
	shift := bits.Len64(v) - partBits - 1
	return shift<<partBits + int(v>>shift)
}

// top is the highest duration that a bucket holds.
func top(b int) time.Duration {
	if b < 2<<partBits {
		return time.Duration(b)
	}
	shift := b>>partBits - 1
	return time.Duration((uint64(b-shift<<partBits)+1)<<shift - 1)
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(d)]++
	h.n++
	h.max = max(h.max, d)
}

// quantile is the duration that a share q of all were no longer than.
func (h *histogram) quantile(q float64) time.Duration {
	left := uint64(q*float64(h.n) + 0.5)
	for b, count := range h.counts {
		if count >= left {
			return min(top(b), h.max)
		}
		left -= count
	}
	return h.max
}
