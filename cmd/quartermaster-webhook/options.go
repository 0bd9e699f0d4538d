package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"quartermaster.dev/cmd/internal/process"
	"quartermaster.dev/policy"
)

// options are the command line. Each field is the flag of its name.
type options struct {
	// kubeconfig to reach the API server with; empty means in-cluster.
	kubeconfig string
	// host and port to serve AdmissionReviews on.
	host string
	port int
	// certDir holds tls.crt and tls.key; a change is picked up.
	certDir string
	// metricsAddr and probeAddr are host:port, or 0 for none.
	metricsAddr, probeAddr string
	// jobLabel marks job pods.
	jobLabel string
	// systemNamespace is the release's own.
	systemNamespace string
	// drain is how long to go on serving after SIGTERM.
	drain time.Duration
	// log is written to stderr.
	log process.Logging
}

func (o *options) addFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "`file` to reach the API server with (default: the pod's own service account)")
	f.StringVar(&o.host, "host", "", "`address` to serve AdmissionReviews on (default: all)")
	f.IntVar(&o.port, "port", 9443, "`port` to serve AdmissionReviews on, by TLS: pods at /mutate, policies at /validate")
	f.StringVar(&o.certDir, "cert-dir", "/etc/quartermaster/tls", "`folder` of tls.crt and tls.key; a renewed pair is served as soon as it is there")
	f.StringVar(&o.metricsAddr, "metrics-bind-address", ":8080", "`host:port` to serve /metrics on by plain HTTP, or 0 for none")
	f.StringVar(&o.probeAddr, "health-probe-bind-address", ":8081", "`host:port` to serve /healthz and /readyz on by plain HTTP, or 0 for none")
	f.StringVar(&o.jobLabel, "job-label", policy.DefaultJobLabel, "`key` of the label that makes a pod a job pod; GitLab Runner before 15.6.1 sets only \"pod\". "+
		"Pods without it are left alone. The objectSelector of the registered webhook must name the same key")
	f.StringVar(&o.systemNamespace, "system-namespace", "quartermaster", "`namespace` of the release itself: cluster-wide policies and guardrails are read there, and nowhere else")
	f.DurationVar(&o.drain, "drain", 5*time.Second, "how long to go on serving after SIGTERM, unready, so that clients go elsewhere; "+
		"less fails pod creations during a rolling update")
	o.log.AddFlags(f, "pods that are no jobs too")
}

func (o *options) validate() error {
	if err := o.log.Validate(); err != nil {
		return err
	}
	if msgs := validation.IsQualifiedName(o.jobLabel); len(msgs) > 0 {
		return fmt.Errorf("--job-label %q is no label key: %s", o.jobLabel, strings.Join(msgs, ", "))
	}
	if msgs := validation.IsDNS1123Label(o.systemNamespace); len(msgs) > 0 {
		return fmt.Errorf("--system-namespace %q is no namespace: %s", o.systemNamespace, strings.Join(msgs, ", "))
	}
	if o.port < 1 || o.port > 65535 {
		return fmt.Errorf("--port %d is out of range; write 1 to 65535", o.port)
	}
	if o.drain < 0 {
		return fmt.Errorf("--drain %s is negative; write a duration such as 5s", o.drain)
	}
	return nil
}
