package load

import (
	"math"
	"slices"
	"time"
)

// Percentile is the least of the durations, in milliseconds, that p percent of them do not exceed. It sorts them.
func Percentile(durations []time.Duration, p float64) float64 {
	if len(durations) == 0 {
		return math.NaN()
	}
	slices.Sort(durations)
	at := int(math.Ceil(p/100*float64(len(durations)))) - 1
	return float64(durations[max(at, 0)]) / float64(time.Millisecond)
}

// Spread is the median of some values, the least and the greatest.
type Spread struct{ Median, Min, Max float64 }

// SpreadOf is the spread of at least one value.
func SpreadOf(values []float64) Spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1]}
}
