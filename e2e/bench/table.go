package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"quartermaster.dev/e2e/internal/load"
)

// column is one column of a table: its head, and its value for a variant in a round.
type column struct {
	head   string
	format string
	value  func(r round, variant int) float64
}

func (r round) added(variant int) float64 { return r[variant].p50 - r[none].p50 }

func (r round) timesFloor(variant int) float64 { return r.added(variant) / r.added(floor) }

var latencyColumns = []column{
	{"p50 ms", "%.2f", func(r round, v int) float64 { return r[v].p50 }},
	{"p90 ms", "%.2f", func(r round, v int) float64 { return r[v].p90 }},
	{"p99 ms", "%.2f", func(r round, v int) float64 { return r[v].p99 }},
	{"added p50 ms", "%+.2f", round.added},
	{"added, × floor", "%.2f", round.timesFloor},
}

var throughputColumns = []column{
	{"pods/s", "%.0f", func(r round, v int) float64 { return r[v].perSecond }},
	{"× floor", "%.2f", func(r round, v int) float64 { return r[v].perSecond / r[floor].perSecond }},
	{"p50 ms", "%.1f", func(r round, v int) float64 { return r[v].p50 }},
	{"p90 ms", "%.1f", func(r round, v int) float64 { return r[v].p90 }},
	{"p99 ms", "%.1f", func(r round, v int) float64 { return r[v].p99 }},
	{"added p50 ms", "%+.1f", round.added},
}

func (b *bench) printLatency(variants []*variant, r *load.Recording, rounds []round) {
	fmt.Fprintf(b.stdout, "\n%s (%d bytes), one at a time: median of %d rounds of %d requests (least – greatest)\n", r.Name, len(r.Object), b.rounds, b.requests)
	printTable(b.stdout, variants, latencyColumns, rounds)
}

func (b *bench) printThroughput(variants []*variant, r *load.Recording, rounds []round) {
	fmt.Fprintf(b.stdout, "\n%s, %d at a time: median of %d rounds of %d requests (least – greatest)\n", r.Name, b.creators, b.rounds, b.concurrent)
	printTable(b.stdout, variants, throughputColumns, rounds)
}

// printTable prints a table in Markdown.
func printTable(out io.Writer, variants []*variant, columns []column, rounds []round) {
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprint(table, "|\t")
	for _, c := range columns {
		fmt.Fprintf(table, "| %s\t", c.head)
	}
	fmt.Fprintf(table, "|\n%s|\n", strings.Repeat("|---\t", len(columns)+1))
	for i, v := range variants {
		fmt.Fprintf(table, "| %s\t", v.name)
		for _, c := range columns {
			s := spread(rounds, i, c.value)
			fmt.Fprintf(table, "| "+c.format+" ("+c.format+" – "+c.format+")\t", s.Median, s.Min, s.Max)
		}
		fmt.Fprintln(table, "|")
	}
	table.Flush()
}

func spread(rounds []round, variant int, value func(r round, variant int) float64) load.Spread {
	var values []float64
	for _, r := range rounds {
		values = append(values, value(r, variant))
	}
	return load.SpreadOf(values)
}

// maxTimesFloor bounds what Quartermaster adds to the p50 of a pod's creation, in multiples of what the floor adds, by recorded pod.
var maxTimesFloor = map[string]float64{"attach": 1.15, "many-variables": 1.2}

// checkBound holds what Quartermaster adds against what it may.
func (b *bench) checkBound(r *load.Recording, rounds []round) {
	bound, ok := maxTimesFloor[r.Name]
	if !ok {
		return
	}
	times := spread(rounds, quartermaster, round.timesFloor).Median
	fmt.Fprintf(b.stdout, "\nQuartermaster adds %.2f × what the floor adds, %s\n", times, b.bounds.Check(r.Name+": added p50, × floor", times, bound, "%.2f"))
}
