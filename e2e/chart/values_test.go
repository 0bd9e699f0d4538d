package chart_test

import (
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"

	"quartermaster.dev/e2e/release"
)

// TestLint is `helm lint --strict`, in each certificate mode.
func TestLint(t *testing.T) {
	t.Parallel()
	dir, err := release.ChartDir()
	if err != nil {
		t.Fatal(err)
	}
	version, err := common.ParseKubeVersion(release.DefaultKubeVersion)
	if err != nil {
		t.Fatal(err)
	}
	for mode := range modes {
		for _, message := range lint.RunAll(dir, certificates(mode), namespace, lint.WithKubeVersion(version)).Messages {
			if message.Severity >= support.WarningSev {
				t.Errorf("%s: %v", mode, message)
			}
		}
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	t.Parallel()
	type values = map[string]any
	for name, test := range map[string]struct {
		values values
		want   string
	}{
		"unknown":                {values{"replica": 3}, "'replica' not allowed"},
		"unknown nested":         {values{"webhook": values{"failurePolicy": "Ignore"}}, "'failurePolicy' not allowed"},
		"wrong type":             {values{"replicas": "two"}, "replicas"},
		"out of range":           {values{"webhook": values{"timeoutSeconds": 31}}, "timeoutSeconds"},
		"no label":               {values{"jobLabel": "a b"}, "jobLabel"},
		"taken port":             {values{"webhook": values{"port": 8080}}, "port"},
		"unknown mode":           {values{"certificates": values{"mode": "self-signed"}}, "mode"},
		"former value":           {values{"certificates": values{"secretName": "own"}}, "'secretName' not allowed"},
		"provided by nobody":     {values{"certificates": values{"mode": "provided"}}, "secretName"},
		"no base64":              {values{"certificates": values{"mode": "provided", "provided": values{"secretName": "own", "caBundle": "-----BEGIN"}}}, "caBundle"},
		"provided, and builtin":  {values{"certificates": values{"provided": values{"secretName": "own"}}}, "secretName"},
		"bundle, and builtin":    {values{"certificates": values{"provided": values{"caBundle": "Q0E="}}}, "caBundle"},
		"renewed late":           {values{"certificates": values{"mode": "cert-manager", "renewBefore": "719h"}}, "renewBefore"},
		"no hours":               {values{"certificates": values{"renewBefore": "30d"}}, "renewBefore"},
		"renewed at once":        {values{"certificates": values{"mode": "cert-manager", "duration": "720h"}}, "must be longer than certificates.renewBefore 720h"},
		"renewed at once, too":   {values{"certificates": values{"duration": "720h"}}, "must be longer than certificates.renewBefore 720h"},
		"short authority":        {values{"certificates": values{"mode": "cert-manager", "certManager": values{"caDuration": "4320h"}}}, "must be more than twice certificates.duration 2160h"},
		"no replica stays":       {values{"podDisruptionBudget": values{"minAvailable": 0}}, "minAvailable"},
		"all replicas stay":      {values{"podDisruptionBudget": values{"minAvailable": "100%"}}, "minAvailable"},
		"as many replicas stay":  {values{"podDisruptionBudget": values{"minAvailable": 2}}, "must be less than replicas 2"},
		"nothing where a mode":   {values{"certificates": values{"mode": nil}}, "mode"},
		"nothing where a time":   {values{"shutdown": values{"drainSeconds": nil}}, "drainSeconds"},
		"in no values":           {values{"webhook": values{"namespaceSelector": values{"matchExpressions": []any{values{"key": "ci", "operator": "In"}}}}}, "values"},
		"no way to API server":   {values{"networkPolicy": values{"apiServerPorts": []any{}}}, "apiServerPorts"},
		"unknown peer":           {values{"networkPolicy": values{"metricsFrom": []any{values{"namespace": "monitoring"}}}}, "'namespace' not allowed"},
		"unknown resources":      {values{"resources": values{"request": values{}}}, "'request' not allowed"},
		"unknown switch":         {values{"serviceMonitor": values{"enable": true}}, "'enable' not allowed"},
		"interval":               {values{"serviceMonitor": values{"interval": "30"}}, "interval"},
		"no number":              {values{"prometheusRule": values{"refusedJobs": "many"}}, "refusedJobs"},
		"switch that is no bool": {values{"upgradeCheck": values{"enabled": "no"}}, "enabled"},
		"unknown hook value":     {values{"uninstallHook": values{"image": "kubectl"}}, "'image' not allowed"},
		"no namespace":           {values{"test": values{"namespace": "Default"}}, "namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := release.Render(release.Options{Values: test.values})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one that says %q", err, test.want)
			}
		})
	}
}
