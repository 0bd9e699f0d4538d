package policy

import (
	"fmt"
	"strings"
)

// maxReasons bounds how much of a job log a refusal takes.
const maxReasons = 12

// Message is the refusal as the job log prints it, one line a reason, or empty
// where the pod is not refused.
func (d *Decision) Message() string {
	lines := make([]string, 0, len(d.Refusals))
	for i, p := range d.Refusals {
		if i == maxReasons {
			lines = append(lines, fmt.Sprintf("and %d more", len(d.Refusals)-maxReasons))
			break
		}
		lines = append(lines, p.String())
	}
	return defuse(strings.Join(lines, "\n"))
}

// retryTriggers are texts on which GitLab Runner 19.4 tries to create the pod
// again (executors/kubernetes/kubernetes.go, retryNetworkErrorsGroup), or takes
// the failure for the script's ("exit status", common/build.go). A name, path
// or value in a policy may hold one, and a refusal must not.
var retryTriggers = []string{
	"error dialing backend", "TLS handshake timeout", "read: connection timed out",
	"connect: connection timed out", "Timeout occurred", "etcdserver: request timed out",
	"http2: client connection lost", "connection refused", "tls: internal error",
	"unexpected EOF", "connection reset by peer", "software caused connection abort",
	"broken pipe", "exit status",
}

// defuse makes a text that holds no retry trigger: each one's blanks become
// underscores, so that it stays readable. Every trigger has a blank.
func defuse(text string) string {
	for _, trigger := range retryTriggers {
		text = strings.ReplaceAll(text, trigger, strings.ReplaceAll(trigger, " ", "_"))
	}
	return text
}
