package main

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"

	"k8s.io/client-go/discovery"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/load"
)

// describe says on what was measured.
func describe(out io.Writer, plane *cluster.Cluster) error {
	client, err := discovery.NewDiscoveryClientForConfig(plane.Config)
	if err != nil {
		return err
	}
	version, err := client.ServerVersion()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %d cores, %s/%s, %s, Kubernetes %s; client, API server, etcd and webhooks share the machine\n",
		load.Processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), version.GitVersion)
	return nil
}

// column is one column of a table: its head, and its value for a variant in a round; NaN prints as "–".
type column struct {
	head   string
	format string
	value  func(r round, variant int) float64
}

func (r round) added(variant int) float64 { return r[variant].p50 - r[none].p50 }

var latencyColumns = []column{
	{"p50 ms", "%.2f", func(r round, v int) float64 { return r[v].p50 }},
	{"p90 ms", "%.2f", func(r round, v int) float64 { return r[v].p90 }},
	{"p99 ms", "%.2f", func(r round, v int) float64 { return r[v].p99 }},
	{"added p50 ms", "%+.2f", func(r round, v int) float64 { return r.added(v) }},
	{"added, × floor", "%.2f", func(r round, v int) float64 { return r.added(v) / r.added(floor) }},
}

var throughputColumns = []column{
	{"pods/s", "%.0f", func(r round, v int) float64 { return r[v].perSecond }},
	{"× floor", "%.2f", func(r round, v int) float64 { return r[v].perSecond / r[floor].perSecond }},
	{"p50 ms", "%.1f", func(r round, v int) float64 { return r[v].p50 }},
	{"p99 ms", "%.1f", func(r round, v int) float64 { return r[v].p99 }},
}

func (b *bench) printLatency(variants []*variant, r *load.Recording, rounds []round) {
	fmt.Fprintf(b.stdout, "\n%s (%d bytes), one at a time: median of %d rounds of %d requests (least – greatest)\n", r.Name, len(r.Object), b.rounds, b.requests)
	printTable(b.stdout, variants, latencyColumns, rounds)
}

func (b *bench) printThroughput(variants []*variant, r *load.Recording, rounds []round) {
	fmt.Fprintf(b.stdout, "\n%s, %d at a time: median of %d rounds of %d requests (least – greatest)\n", r.Name, b.creators, b.rounds, b.concurrent)
	printTable(b.stdout, variants, throughputColumns, rounds)
}

func printTable(out io.Writer, variants []*variant, columns []column, rounds []round) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range columns {
		fmt.Fprintf(table, "\t%s", c.head)
	}
	fmt.Fprintln(table)
	for i, v := range variants {
		fmt.Fprint(table, v.name)
		for _, c := range columns {
			var values []float64
			for _, r := range rounds {
				values = append(values, c.value(r, i))
			}
			s := load.SpreadOf(values)
			fmt.Fprintf(table, "\t"+c.format+" ("+c.format+" – "+c.format+")", s.Median, s.Min, s.Max)
		}
		fmt.Fprintln(table)
	}
	table.Flush()
}
