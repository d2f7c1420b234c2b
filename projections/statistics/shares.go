package statistics

import (
	"cmp"
	"math"
	"slices"
)

// percent is part of whole in percent, rounded to a tenth; of nothing it is 0.
func percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return math.Round(float64(part)/float64(whole)*1000) / 10
}

// Apportion gives each part its share of the sum in percent, in tenths that add
// up to exactly 100.0 (by the largest remainder; of equal ones the first). If
// all parts are 0, so are their shares.
func Apportion(parts []int64) []float64 {
	shares := make([]float64, len(parts))
	var sum int64
	for _, p := range parts {
		sum += p
	}
	if sum == 0 {
		return shares
	}
	type remainder struct {
		i    int
		rest float64
	}
	tenths := make([]int, len(parts))
	remainders := make([]remainder, len(parts))
	left := 1000
	for i, p := range parts {
		exact := float64(p) / float64(sum) * 1000
		tenths[i] = int(exact)
		left -= tenths[i]
		remainders[i] = remainder{i, exact - float64(tenths[i])}
	}
	slices.SortStableFunc(remainders, func(a, b remainder) int { return cmp.Compare(b.rest, a.rest) })
	for _, r := range remainders[:min(left, len(remainders))] {
		tenths[r.i]++
	}
	for i, t := range tenths {
		shares[i] = float64(t) / 10
	}
	return shares
}
