package migrate

import (
	"fmt"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// auditNamespacePerJob finds jobs in namespaces that no policy can be in.
func auditNamespacePerJob(c *Config, r *runner) []Finding {
	n := r.kube.child("namespace_per_job")
	if n.text() != "true" {
		return nil
	}
	f := c.at(n, "runners.kubernetes.namespace_per_job", "namespace-per-job", policy.Error)
	f.Message = "each job gets a namespace of its own, where there is no policy and no Secret"
	f.Hint = "take it out, and let the jobs run in the namespace of the policy"
	return []Finding{f}
}

const runnerNameUnset = "runner-name-unset"

// auditRunnerName finds runners that a policy cannot match by name.
func auditRunnerName(c *Config, r *runner) []Finding {
	if runnerLabel(r.name) != "" {
		return nil
	}
	f := c.onRunner(r, runnerNameUnset, policy.Note)
	f.Message = "the runner has no name, so that it gets the manager pod's, which changes: no policy can match it by runnerNames"
	f.Hint = `give it one, as name = "dev-runner", if a policy is to tell it from others`
	if len(c.runners) > 1 {
		f.Severity = policy.Warning
	}
	return []Finding{f}
}

// shapeFlags are the feature flags that decide how a job pod is built. A job
// sets those that the configuration leaves open.
var shapeFlags = []string{"FF_USE_LEGACY_KUBERNETES_EXECUTION_STRATEGY", "FF_CONCRETE", "FF_SUSPENDABLE_ENVIRONMENTS"}

// auditFeatureFlags finds flags that job authors can set.
func auditFeatureFlags(c *Config, r *runner) []Finding {
	var open, lines []string
	for _, flag := range shapeFlags {
		if r.toml.at("feature_flags", flag) == nil {
			open = append(open, flag)
			lines = append(lines, flag+" = false")
		}
	}
	if len(open) == 0 {
		return nil
	}
	f := c.onRunner(r, "feature-flags-open", policy.Note)
	f.Message = "job authors choose the shape of their pods, by the variables " + strings.Join(open, ", ")
	f.Hint = "pin them in [runners.feature_flags]: " + strings.Join(lines, ", ")
	return []Finding{f}
}

// auditSecretVolumes finds Secrets that every container sees.
func auditSecretVolumes(c *Config, r *runner) []Finding {
	var found []Finding
	for _, it := range c.items {
		if it.secret == nil || it.secret.Name == "" || it.runner != r {
			continue
		}
		f := Finding{ID: "secret-everywhere", Severity: policy.Warning, Line: it.line, Path: it.path, item: it}
		f.Message = fmt.Sprintf("Secret %q is mounted in every container of a job: helper, init containers, and the services whose images the job chooses", it.secret.Name)
		f.Hint = "hand it out by a policy, which reaches build alone: `quartermaster migrate` writes one"
		found = append(found, f)
	}
	return found
}

// retryText is what the API server says of a webhook that it cannot reach.
const retryText = "failed calling webhook"

// auditRetryLimits finds jobs that fail where a webhook is restarted.
func auditRetryLimits(c *Config, r *runner) []Finding {
	for _, n := range children(r.kube.child("retry_limits")) {
		if n.key != "" && strings.Contains(retryText, n.key) {
			return nil
		}
	}
	f := c.onRunner(r, "retry-limit-missing", policy.Note)
	f.Message = "a job fails at once if its pod is created while no webhook answers, as during an upgrade"
	f.Hint = fmt.Sprintf("let the runner try again: [runners.kubernetes.retry_limits] %q = 5", retryText)
	return []Finding{f}
}

// auditLegacy finds values of old charts that the chart ignores.
func (c *Config) auditLegacy() []Finding {
	if !c.ignoresLegacy {
		return nil
	}
	var found []Finding
	for _, it := range c.items {
		if it.node == nil {
			f := Finding{ID: "legacy-key", Severity: policy.Warning, Line: it.line, Path: it.path, item: it}
			f.Message = it.path + " is without effect since chart " + legacySince
			f.Hint = "say it by a policy: `quartermaster migrate` writes one"
			found = append(found, f)
		}
	}
	for _, k := range legacyKeys {
		path := append([]string{"runners"}, strings.Split(k.path, ".")...)
		e := get(c.values, path...)
		if e.key == nil || len(e.value.Content) == 0 && e.str() == "" {
			continue
		}
		f := Finding{ID: "legacy-key", Severity: policy.Warning, Line: e.key.Line, Path: c.path(path...)}
		f.Message = f.Path + " is without effect since chart " + legacySince
		f.Hint = "write " + k.toml + " in runners.config"
		if !strings.Contains(k.toml, "[") {
			f.Hint = "write " + k.toml + " below [runners.kubernetes] in runners.config"
		}
		found = append(found, f)
	}
	return found
}

// tokenKeys are values that are secrets themselves.
var tokenKeys = []string{"runnerToken", "runnerRegistrationToken"}

// auditTokens finds tokens that stand in the file.
func (c *Config) auditTokens() []Finding {
	var found []Finding
	hint := "keep it in a Secret, and name that in runners.secret"
	for _, key := range tokenKeys {
		if e := get(c.values, key); e.str() != "" && !templated(e.str()) {
			found = append(found, Finding{ID: "token-in-file", Severity: policy.Warning, Line: e.key.Line, Path: c.path(key), Hint: hint,
				Message: c.path(key) + " is a secret, and stands here for all who can read the file"})
		}
	}
	if c.in.TOML {
		return found // a config.toml holds its tokens by design
	}
	for _, r := range c.runners {
		if n := r.toml.child("token"); n.text() != "" && !templated(n.text()) {
			f := c.at(n, "runners.token", "token-in-file", policy.Warning)
			f.Message, f.Hint = "the runner's token is a secret, and stands here for all who can read the file", hint
			found = append(found, f)
		}
	}
	return slices.Clip(found)
}
