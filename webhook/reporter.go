package webhook

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"

	"quartermaster.dev/policy"
)

// Reasons of the Events on a policy's ConfigMap.
const (
	ReasonBroken    = "PolicyBroken"
	ReasonRecovered = "PolicyRecovered"
	ReasonRefused   = "JobRefused"
)

// Reporter tells people of what happens to policies, in the log and as Events
// on their ConfigMaps. Events are recorded beside the request path, and the
// same news often told is told as one Event with a count.
type Reporter struct {
	log      *slog.Logger
	metrics  *Metrics
	recorder record.EventRecorder

	mu   sync.RWMutex
	uids map[string]types.UID // by namespace/name
}

// NewReporter makes a reporter that writes Events until stop is called.
func NewReporter(events typedcorev1.EventsGetter, log *slog.Logger, metrics *Metrics) (r *Reporter, stop func()) {
	// Of one ConfigMap ten Events at once and then one a minute: a policy that
	// refuses a busy namespace must not fill etcd. More than ten of a reason
	// within ten minutes are combined.
	broadcaster := record.NewBroadcasterWithCorrelatorOptions(record.CorrelatorOptions{BurstSize: 10, QPS: 1. / 60})
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: events.Events("")})
	source := corev1.EventSource{Component: "quartermaster"}
	return &Reporter{log: log, metrics: metrics, recorder: broadcaster.NewRecorder(scheme.Scheme, source), uids: map[string]types.UID{}}, broadcaster.Shutdown
}

// Seen remembers a ConfigMap, so that Events can be about it.
func (r *Reporter) Seen(configMap string, uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uids[configMap] = uid
}

func (r *Reporter) uid(configMap string) (types.UID, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	uid, ok := r.uids[configMap]
	return uid, ok
}

// InForce implements [Observer].
func (r *Reporter) InForce(source *policy.Source, recovered bool) {
	r.metrics.forget(source.String()) // its documents may have other names now
	r.log.Info("policy in force", "configMap", source.Stamp(), "problems", texts(source.Problems))
	if recovered {
		r.event(source.String(), corev1.EventTypeNormal, ReasonRecovered, "the policy is in force again")
	}
}

// Broken implements [Observer].
func (r *Reporter) Broken(source *policy.Source, problems []policy.Problem) {
	lines := texts(errorsOf(problems))
	r.log.Error("policy broken: job pods of its namespace are refused", "configMap", source.Stamp(), "problems", lines)
	r.event(source.String(), corev1.EventTypeWarning, ReasonBroken, strings.Join(lines, "\n"))
}

// Gone implements [Observer].
func (r *Reporter) Gone(namespace, name string) {
	r.log.Info("policy gone", "configMap", namespace+"/"+name)
	r.mu.Lock()
	delete(r.uids, namespace+"/"+name)
	r.mu.Unlock()
	r.metrics.forget(namespace + "/" + name)
}

// refused tells each policy's ConfigMap of a pod that it refused.
func (r *Reporter) refused(req *request, d *policy.Decision) {
	told := map[string]bool{}
	for _, p := range d.Refusals {
		if configMap, _ := splitOrigin(p.Document); !told[configMap] {
			told[configMap] = true
			r.event(configMap, corev1.EventTypeWarning, ReasonRefused, fmt.Sprintf("pod %s/%s: %s", req.Namespace, req.Name, p))
		}
	}
}

// maxNote is what an Event's text may hold (events.k8s.io/v1, Event.note).
const maxNote = 1024

func (r *Reporter) event(configMap, eventType, reason, note string) {
	uid, ok := r.uid(configMap)
	if !ok {
		return
	}
	if len(note) > maxNote {
		note = strings.ToValidUTF8(note[:maxNote-3], "") + "..."
	}
	namespace, name, _ := strings.Cut(configMap, "/")
	about := &corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: name, UID: uid}
	r.recorder.Event(about, eventType, reason, note)
}

// splitOrigin takes the name of a policy in messages apart: its ConfigMap, and
// its document there.
func splitOrigin(origin string) (configMap, document string) {
	configMap, document, _ = strings.Cut(origin, " ")
	return configMap, document
}
