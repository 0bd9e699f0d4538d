package main

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"quartermaster.dev/cmd/internal/process"
)

// minimal is the least that can be said.
var minimal = []string{"--namespace=system", "--secret=quartermaster-tls", "--service=quartermaster", "--mutating-webhook-configuration=quartermaster", "--kubeconfig=/none"}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{}, "--namespace is missing"},
		{minimal[:1], "--secret is missing"},
		{minimal[:2], "--service is missing"},
		{minimal[:3], "no webhook configuration is named; give --mutating-webhook-configuration or --validating-webhook-configuration"},
		{append(minimal, "--namespace=A"), `--namespace "A" is no namespace`},
		{append(minimal, "--service=a.b"), `--service "a.b" is no name of a Service`},
		{append(minimal, "--secret=/"), `--secret "/" is no name of an object`},
		{append(minimal, "--owner=/"), `--owner "/" is no name of an object`},
		{append(minimal, "--validating-webhook-configuration=a_b"), `--validating-webhook-configuration "a_b" is no name of an object`},
		{append(minimal, "--log-format=xml"), `--log-format "xml" is not known; write json or text`},
		{append(minimal, "--log-level=loud"), `invalid argument "loud" for "--log-level" flag`},
		{append(minimal, "--overlap=-1s"), "--overlap -1s is negative"},
		{append(minimal, "--retain=-1s"), "--retain -1s is negative"},
		{append(minimal, "--renew-before=1m"), "--renew-before 1m0s is no longer than --overlap 1m0s"},
		{append(minimal, "--duration=720h"), "--duration 720h0m0s is no longer than --renew-before 720h0m0s"},
		{append(minimal, "--colour"), "unknown flag: --colour; see --help"},
		{append(minimal, "now"), `"now" is one argument too many`},
		{[]string{"remove"}, "no webhook configuration is named"},
		{[]string{"remove", "now"}, `"now" is one argument too many`},
		{[]string{"remove", "--colour"}, "unknown flag: --colour; see --help"},
	} {
		err := run(t.Context(), test.args, io.Discard, io.Discard)
		if usage := (*process.UsageError)(nil); !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want the usage error %q", test.args, err, test.want)
		}
	}
	// What is right on the command line and wrong beside it is no usage error.
	err := run(t.Context(), minimal, io.Discard, io.Discard)
	if usage := (*process.UsageError)(nil); err == nil || errors.As(err, &usage) || !strings.Contains(err.Error(), "--kubeconfig /none cannot be used") {
		t.Errorf("got %v", err)
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"--help"}, []string{"quartermaster-certs keeps a valid serving certificate", "remove", "--overlap duration", "(default 1m0s)", "(default 24h0m0s)", "(default 2160h0m0s)"}},
		{[]string{"remove", "--help"}, []string{"remove deletes the named webhook configurations", "of a MutatingWebhookConfiguration to delete"}},
		{[]string{"--version"}, []string{"quartermaster-certs version "}},
	} {
		var stdout bytes.Buffer
		if err := run(t.Context(), test.args, &stdout, io.Discard); err != nil {
			t.Errorf("%v: %v", test.args, err)
		}
		for _, want := range test.want {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%v does not say %q:\n%s", test.args, want, &stdout)
			}
		}
	}
}

func TestCertificateNames(t *testing.T) {
	t.Parallel()
	o := options{service: "quartermaster", namespace: "system"}
	want := []string{"quartermaster.system.svc", "quartermaster.system.svc.cluster.local", "quartermaster.system", "quartermaster"}
	if got := o.certificates().DNSNames; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
