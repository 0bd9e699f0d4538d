// Command quartermaster shows what the webhook would do with a pod, and checks
// policies before they are applied. It needs no cluster: it reads files and
// decides as the server does, with the same code.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}
