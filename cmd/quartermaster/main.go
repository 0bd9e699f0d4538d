// Command quartermaster shows what the webhook would do with a pod and why, and
// checks policies before they are applied. It decides as the server does, with
// the same code, and needs no cluster but where it is asked to look into one.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdin, output(os.Stdout), os.Stderr}))
}
