package main

import "github.com/prometheus/client_golang/prometheus"

// keeperMetrics are what the process tells of itself. The label object is one of
// the kinds of object that it works on.
type keeperMetrics struct {
	expiry    prometheus.Gauge
	success   prometheus.Gauge
	rotations prometheus.Counter
	errors    *prometheus.CounterVec
}

func newKeeperMetrics() *keeperMetrics {
	return &keeperMetrics{
		expiry: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "quartermaster_certs_expiry_timestamp_seconds",
			Help: "When the certificate in the Secret expires, in seconds since 1970; 0 when there is none.",
		}),
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "quartermaster_certs_last_success_timestamp_seconds",
			Help: "When the Secret and the caBundles were last found or put in order, in seconds since 1970.",
		}),
		rotations: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "quartermaster_certs_rotations_total",
			Help: "New certificates that became the served one, the first included.",
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quartermaster_certs_errors_total",
			Help: "Requests to the API server that failed, by kind of object.",
		}, []string{"object"}),
	}
}

func (m *keeperMetrics) register(registry prometheus.Registerer) {
	for _, object := range []string{kindSecret, kindDeployment, kindMutating, kindValidating} {
		m.errors.WithLabelValues(object) // from 0, so that the first error is an increase
	}
	registry.MustRegister(m.expiry, m.success, m.rotations, m.errors)
}
