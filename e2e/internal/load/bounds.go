package load

import (
	"fmt"
	"strings"
)

// Bounds remember which figures are beyond what they may be.
type Bounds struct{ beyond []string }

// Check returns a figure's bound in words, and remembers the figure if it is beyond. What was not measured (not a number, or nothing)
// is beyond every bound. The format is one for a float64.
func (b *Bounds) Check(what string, figure, most float64, format string) string {
	verdict := fmt.Sprintf("at most "+format, most)
	if !(figure > 0 && figure <= most) {
		verdict += ": BEYOND"
		b.beyond = append(b.beyond, what)
	}
	return verdict
}

// Err is an error when a figure was beyond its bound.
func (b *Bounds) Err() error {
	if len(b.beyond) > 0 {
		return fmt.Errorf("beyond the bound: %s", strings.Join(b.beyond, ", "))
	}
	return nil
}
