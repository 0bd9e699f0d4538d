package load

import (
	"fmt"
	"strings"
)

// Bounds remember which figures are beyond what they may be.
type Bounds struct{ beyond []string }

// Check tells in words what a figure may be at most, and whether it is beyond that. The format is one for a float64.
func (b *Bounds) Check(what string, figure, most float64, format string) string {
	verdict := fmt.Sprintf("at most "+format, most)
	if figure > most {
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
