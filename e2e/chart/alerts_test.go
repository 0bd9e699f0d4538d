package chart_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/release"
	"quartermaster.dev/policy"
)

// An alert is a rule of the chart's PrometheusRule.
type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// alertsOf are the alerts of a combination that renders them.
func alertsOf(t *testing.T, c *combination) []alert {
	t.Helper()
	var alerts []alert
	for _, object := range c.of("PrometheusRule") {
		rule := decode[struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`
			Spec              struct {
				Groups []struct {
					Name  string  `json:"name"`
					Rules []alert `json:"rules"`
				} `json:"groups"`
			} `json:"spec"`
		}](t, object)
		for _, group := range rule.Spec.Groups {
			alerts = append(alerts, group.Rules...)
		}
	}
	if len(alerts) == 0 {
		t.Fatalf("%s: no alerts", c.name)
	}
	return alerts
}

// TestAlertsSayWhatToDo: whoever is woken has a sentence, and a command to begin with.
func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range everything(t) {
		for _, alert := range alertsOf(t, c) {
			summary, description := alert.Annotations["summary"], alert.Annotations["description"]
			if summary == "" || strings.Contains(summary, "\n") || len(description) < 2*len(summary)/3 {
				t.Errorf("%s: %s has summary %q and description %q", c.name, alert.Alert, summary, description)
			}
			if severity := alert.Labels["severity"]; severity != "critical" && severity != "warning" {
				t.Errorf("%s: %s has severity %q", c.name, alert.Alert, severity)
			}
			if c.mode == "builtin" && !regexp.MustCompile(`kubectl|quartermaster (lint|check)`).MatchString(description) {
				t.Errorf("%s: %s names no command: %s", c.name, alert.Alert, description)
			}
		}
	}
}

// TestAlertsAreInTheReadme: the chart's README.md names each.
func TestAlertsAreInTheReadme(t *testing.T) {
	t.Parallel()
	dir, err := release.ChartDir()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range everything(t) {
		for _, alert := range alertsOf(t, c) {
			if !strings.Contains(string(text), alert.Alert) {
				t.Errorf("README.md does not name %s", alert.Alert)
			}
		}
	}
}

// ofOthers are metrics of programs that do not run here; what is said of them is taken from their documentation.
var ofOthers = []string{"kube_deployment_status_replicas_available"} // kube-state-metrics

// A series is what an expression asks for: a metric, and some of its labels as regular expressions.
type series struct {
	metric string
	labels map[string]*regexp.Regexp
}

var (
	selectorExpr = regexp.MustCompile(`\b([a-z_]+)\{([^}]*)\}`)
	matcherExpr  = regexp.MustCompile(`([a-z_]+)=(~?)"([^"]*)"`)
)

// seriesOf are those that an expression asks for. The namespace is left out: Prometheus adds it when it scrapes.
func seriesOf(expr string) []series {
	var all []series
	for _, found := range selectorExpr.FindAllStringSubmatch(expr, -1) {
		s := series{metric: found[1], labels: map[string]*regexp.Regexp{}}
		for _, matcher := range matcherExpr.FindAllStringSubmatch(found[2], -1) {
			value := matcher[3]
			if matcher[2] == "" {
				value = regexp.QuoteMeta(value)
			}
			if matcher[1] != "namespace" {
				s.labels[matcher[1]] = regexp.MustCompile("^(" + value + ")$")
			}
		}
		all = append(all, s)
	}
	return all
}

// in tells whether there is such a series.
func (s series) in(families map[string]*dto.MetricFamily) bool {
	return slices.ContainsFunc(families[s.metric].GetMetric(), func(m *dto.Metric) bool {
		matched := 0
		for _, label := range m.GetLabel() {
			if want := s.labels[label.GetName()]; want != nil && want.MatchString(label.GetValue()) {
				matched++
			}
		}
		return matched == len(s.labels)
	})
}

// TestAlertsAskForWhatThereIs: an alert on a metric that nobody has, or on a label's value that never comes, is silent on the
// bad day. So the bad day is made, and then the server, the process that rotates certificates and the API server are asked.
func TestAlertsAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	families := map[string]*dto.MetricFamily{}
	badDay(t, families)
	scrapeCerts(t, families)
	scrapeAPIServer(t, families)
	for _, c := range everything(t) {
		for _, alert := range alertsOf(t, c) {
			asked := seriesOf(alert.Expr)
			if len(asked) == 0 {
				t.Errorf("%s: no series is found in %q", alert.Alert, alert.Expr)
			}
			for _, s := range asked {
				if !slices.Contains(ofOthers, s.metric) && !s.in(families) {
					t.Errorf("%s: nobody tells %s%v", alert.Alert, s.metric, s.labels)
				}
			}
		}
	}
}

// badDay runs a server that refuses a pod for a broken policy, and asks for a pod when that server has gone.
func badDay(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	const name, jobLabel = "badday", "badday.example/job"
	server, err := release.Install(t.Context(), plane, release.Options{
		Name: name, Namespace: name, Race: build.RaceDetector(t.Context()) == nil, Out: os.Stderr,
		// Its webhooks stay registered, so they must not be asked about anything else.
		Values: map[string]any{"jobLabel": jobLabel, "validation": map[string]any{"enabled": false}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "badday-jobs", Name: "job", Labels: map[string]string{jobLabel: "job"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "build", Image: "build"}}},
	}
	if err := plane.Namespace(t.Context(), pod.Namespace, nil); err != nil {
		t.Fatal(err)
	}
	if err := plane.Client.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: "broken", Labels: map[string]string{policy.LabelPolicy: "true"}},
		Data:       map[string]string{"policy.yaml": "kind: JobPolicy"},
	}); err != nil {
		t.Fatal(err)
	}
	if err := server.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask := func(want string) {
		t.Helper()
		if err := plane.Client.Create(t.Context(), pod.DeepCopy(), client.DryRunAll); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a pod was asked for: got %v, want an error that says %q", err, want)
		}
	}
	ask("denied the request")
	scrape(t, families, http.DefaultClient, server.MetricsURL)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	ask("failed calling webhook")
}

// scrapeCerts runs the process that rotates certificates for as long as it takes to read its metrics.
func scrapeCerts(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	binary, err := build.Program{Package: "./cmd/quartermaster-certs"}.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := plane.WriteKubeconfig(plane.Config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	// It waits for configurations that never come.
	cmd := exec.CommandContext(t.Context(), binary, "--kubeconfig="+kubeconfig, "--namespace=default", "--secret=scraped", "--service=scraped",
		"--mutating-webhook-configuration=scraped", "--metrics-bind-address="+address, "--health-probe-bind-address=0")
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	}()
	err = wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("nothing listens on %s: %v", address, err)
	}
	scrape(t, families, http.DefaultClient, "http://"+address+"/metrics")
}

func scrapeAPIServer(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	httpClient, err := rest.HTTPClientFor(plane.Config)
	if err != nil {
		t.Fatal(err)
	}
	scrape(t, families, httpClient, strings.TrimSuffix(plane.Config.Host, "/")+"/metrics")
}

// scrape adds the metrics of an address to families.
func scrape(t *testing.T, families map[string]*dto.MetricFamily, httpClient *http.Client, url string) {
	t.Helper()
	found, err := readMetrics(t.Context(), httpClient, url)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(families, found)
}

func readMetrics(ctx context.Context, httpClient *http.Client, url string) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return nil, fmt.Errorf("%s: %s %s", url, response.Status, text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(response.Body)
}

// TestTheServiceMonitorFindsEveryPort: each Service of the release offers the port that is scraped.
func TestTheServiceMonitorFindsEveryPort(t *testing.T) {
	t.Parallel()
	for _, c := range everything(t) {
		for _, monitor := range c.of("ServiceMonitor") {
			selected := 0
			for _, service := range c.of("Service") {
				if !selectorOf(t, monitor).Matches(labels.Set(service.GetLabels())) {
					continue
				}
				selected++
				ports := decode[corev1.Service](t, service).Spec.Ports
				if !slices.ContainsFunc(ports, func(p corev1.ServicePort) bool { return p.Name == "metrics" }) {
					t.Errorf("%s: Service %s has no port metrics", c.name, service.GetName())
				}
			}
			want := map[string]int{"builtin": 2, "cert-manager": 1, "provided": 1}[c.mode]
			endpoints, _, err := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
			if err != nil || selected != want || len(endpoints) != 1 || endpoints[0].(map[string]any)["port"] != "metrics" {
				t.Errorf("%s: %d Services are scraped, want %d, on %v, %v", c.name, selected, want, endpoints, err)
			}
		}
	}
}
