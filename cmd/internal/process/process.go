// Package process holds what the long-running commands have in common: how they
// end, how they log and how they reach the API server. It knows nothing of what
// they do.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Main runs a command until it ends or the process is asked to end, prints its
// error, and exits: 0, 1 for an error, 2 for a mistake on the command line. A
// second signal ends the process at once.
func Main(run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		if usage := (*UsageError)(nil); errors.As(err, &usage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// UsageError is a mistake on the command line.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap is for package errors.
func (e *UsageError) Unwrap() error { return e.Err }

// FlagError makes a mistake in a flag a UsageError; it is for
// cobra.Command.SetFlagErrorFunc.
func FlagError(_ *cobra.Command, err error) error {
	return &UsageError{fmt.Errorf("%w; see --help", err)}
}

// NoArgs refuses arguments that are no flags; it is for cobra.Command.Args.
func NoArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &UsageError{fmt.Errorf("%q is one argument too many: there are only flags; see --help", args[0])}
	}
	return nil
}

// Logging are the flags of the log.
type Logging struct {
	// Level is the least that is logged.
	Level slog.Level
	// Format is json or text.
	Format string
}

// AddFlags adds --log-level and --log-format. debug says what only that level
// tells of.
func (l *Logging) AddFlags(f *pflag.FlagSet, debug string) {
	f.TextVar(&l.Level, "log-level", slog.LevelInfo, "least `level` to log: debug, info, warn or error; debug tells of "+debug)
	f.StringVar(&l.Format, "log-format", "json", "`format` of the log: json or text")
}

// Validate refuses what the flags' types let pass.
func (l *Logging) Validate() error {
	if l.Format != "json" && l.Format != "text" {
		return fmt.Errorf("--log-format %q is not known; write json or text", l.Format)
	}
	return nil
}

// Start returns the log, which is written to stderr, and hands it to the
// libraries that log by themselves.
func (l *Logging) Start(stderr io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level, ReplaceAttr: readable}
	var handler slog.Handler = slog.NewJSONHandler(stderr, options)
	if l.Format == "text" {
		handler = slog.NewTextHandler(stderr, options)
	}
	logger := logr.FromSlogHandler(handler)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	return slog.New(handler)
}

// readable prints what controller-runtime says of a failed readiness check; its
// type has no exported field, and JSON shows none.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Key == "statuses" {
		return slog.String(a.Key, fmt.Sprintf("%+v", a.Value.Any()))
	}
	return a
}

// Config is how to reach the API server: by the kubeconfig file, or as the pod's
// own service account where that is empty.
func Config(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("not in a cluster (%w); give --kubeconfig", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig %s cannot be used: %w", kubeconfig, err)
	}
	return config, nil
}
