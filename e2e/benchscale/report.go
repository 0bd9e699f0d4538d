package main

import (
	"fmt"
	"io"

	"quartermaster.dev/e2e/internal/load"
)

// report prints figures, and remembers which are beyond what they may be.
type report struct {
	out    io.Writer
	bounds load.Bounds
}

// describe says what was measured, and on what.
func (r *report) describe(w *world) error {
	machine, err := load.Machine(w.plane.Config)
	if err != nil {
		return err
	}
	r.say("%s\n%d policies in %d namespaces\n", machine, w.policies, w.policies/2)
	return nil
}

// line prints the median of some values, their spread, and the bound, if there is one.
func (r *report) line(what string, values []float64, format string, limit float64) {
	s := load.SpreadOf(values)
	figure := fmt.Sprintf(format, s.Median)
	if len(values) > 1 {
		figure += fmt.Sprintf(" ("+format+" – "+format+")", s.Min, s.Max)
	}
	bound := ""
	if limit > 0 {
		bound = r.bounds.Check(what, s.Median, limit, format)
	}
	fmt.Fprintf(r.out, "%-62s %-34s %s\n", what, figure, bound)
}

func (r *report) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// memoryParts says what a process's memory is made of.
func (r *report) memoryParts(pid int) {
	r.say("of the resident memory of a server that is ready, %.1f MiB are its own and %.1f MiB are pages of its binary",
		status(pid, "RssAnon"), status(pid, "RssFile"))
}
