package webhook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quartermaster.dev/policy"
)

// Metrics are what the webhook counts. All labels are bounded: kinds and
// outcomes are those of package policy, and policies are those that there are.
type Metrics struct {
	decisions *prometheus.CounterVec
	policies  *prometheus.CounterVec
	duration  prometheus.Histogram
	invalid   prometheus.Counter
}

// NewMetrics makes the metrics and registers them.
func NewMetrics() *Metrics {
	return &Metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quartermaster_decisions_total",
			Help: "Decisions on pods, by outcome and kind of pod.",
		}, []string{"outcome", "kind"}),
		policies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quartermaster_policy_decisions_total",
			Help: "Decisions on pods that a policy matched, by policy and outcome: applied, withheld, audited or refused.",
		}, []string{"configmap", "policy", "outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "quartermaster_decision_duration_seconds",
			Help:    "Time to decode a pod, decide on it and render the patch.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}),
		invalid: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "quartermaster_invalid_requests_total",
			Help: "Requests that were no AdmissionReview, or came before the policies were known.",
		}),
	}
}

// Register registers the metrics, and those of the store.
func (m *Metrics) Register(registry prometheus.Registerer, store *Store) {
	registry.MustRegister(m.decisions, m.policies, m.duration, m.invalid, sourceCollector{store})
}

func (m *Metrics) decided(d *policy.Decision, took time.Duration) {
	m.decisions.WithLabelValues(string(d.Outcome), string(d.Kind)).Inc()
	m.duration.Observe(took.Seconds())
	for i := range d.Verdicts {
		if v := &d.Verdicts[i]; v.Matched() {
			configMap, document := splitOrigin(v.Policy)
			m.policies.WithLabelValues(configMap, document, policyOutcome(d, v)).Inc()
		}
	}
}

func policyOutcome(d *policy.Decision, v *policy.Verdict) string {
	switch {
	case v.Audit:
		return "audited"
	case v.Applied:
		return "applied"
	case d.Outcome == policy.Refused:
		return "refused"
	default:
		return "withheld"
	}
}

// forget drops the counters of a ConfigMap that is gone.
func (m *Metrics) forget(configMap string) {
	m.policies.DeletePartialMatch(prometheus.Labels{"configmap": configMap})
}

var sourcesDesc = prometheus.NewDesc("quartermaster_policy_configmaps",
	"ConfigMaps labelled as policy, by state: in-force or broken.", []string{"state"}, nil)

// sourceCollector counts the store's ConfigMaps when it is asked.
type sourceCollector struct{ store *Store }

// Describe implements prometheus.Collector.
func (c sourceCollector) Describe(ch chan<- *prometheus.Desc) { ch <- sourcesDesc }

// Collect implements prometheus.Collector.
func (c sourceCollector) Collect(ch chan<- prometheus.Metric) {
	inForce, broken := c.store.Count()
	ch <- prometheus.MustNewConstMetric(sourcesDesc, prometheus.GaugeValue, float64(inForce), "in-force")
	ch <- prometheus.MustNewConstMetric(sourcesDesc, prometheus.GaugeValue, float64(broken), "broken")
}
