package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// terminal is where colours are seen.
type terminal struct{ io.Writer }

// output is stdout, as a terminal if it is one that wants colours.
func output(file *os.File) io.Writer {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(file.Fd())) {
		return file
	}
	return terminal{file}
}
