package migrate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// legacyKey is a value of old charts that stood for a key of config.toml.
type legacyKey struct {
	path string // below runners
	toml string // what it became, below [runners.kubernetes] unless it says otherwise
}

// legacySince is the version of the chart from which on the keys are ignored.
const legacySince = "0.42"

// legacyKeys are those that a policy cannot hold. Source: the values and
// templates of the gitlab-runner chart before 0.42.
var legacyKeys = []legacyKey{
	{"image", "image"},
	{"imagePullPolicy", "pull_policy"},
	{"imagePullSecrets", "image_pull_secrets"},
	{"privileged", "privileged"},
	{"namespace", "namespace"},
	{"serviceAccountName", "service_account"},
	{"podLabels", "[runners.kubernetes.pod_labels]"},
	{"podAnnotations", "[runners.kubernetes.pod_annotations]"},
	{"pollTimeout", "poll_timeout"},
	{"helpers.image", "helper_image"},
	{"builds.cpuLimitOverwriteMaxAllowed", "cpu_limit_overwrite_max_allowed"},
	{"builds.cpuRequestsOverwriteMaxAllowed", "cpu_request_overwrite_max_allowed"},
	{"builds.memoryLimitOverwriteMaxAllowed", "memory_limit_overwrite_max_allowed"},
	{"builds.memoryRequestsOverwriteMaxAllowed", "memory_request_overwrite_max_allowed"},
	{"requestConcurrency", "request_concurrency of [[runners]]"},
	{"outputLimit", "output_limit of [[runners]]"},
	{"cloneUrl", "clone_url of [[runners]]"},
	{"env", "environment of [[runners]]"},
	{"cache.cacheType", "Type of [runners.cache]"},
	{"cache.cachePath", "Path of [runners.cache]"},
	{"cache.cacheShared", "Shared of [runners.cache]"},
	{"cache.s3ServerAddress", "ServerAddress of [runners.cache.s3]"},
	{"cache.s3BucketName", "BucketName of [runners.cache.s3]"},
	{"cache.s3BucketLocation", "BucketLocation of [runners.cache.s3]"},
	{"cache.s3CacheInsecure", "Insecure of [runners.cache.s3]"},
	{"cache.gcsBucketName", "BucketName of [runners.cache.gcs]"},
}

// ignoresLegacy tells whether a version of the chart ignores the legacy keys.
func ignoresLegacy(version string) (bool, error) {
	if version == "" {
		return true, nil
	}
	wrong := &NeedError{fmt.Sprintf("%q is no version of a chart", version), "write it as 0.41.0; `helm list` shows it"}
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	major, err := strconv.Atoi(parts[0])
	if err != nil || len(parts) < 2 {
		return false, wrong
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return false, wrong
	}
	return major > 0 || minor >= 42, nil
}

// creator is the service account that creates the runner's job pods.
type creator struct {
	name, namespace string
	// derived tells that the name follows from that of the release.
	derived bool
	// assumed tells that not even the release's name is known.
	assumed bool
}

// findCreator finds it, or nil where nothing tells.
func (c *Config) findCreator() *creator {
	if c.opts.Account != "" {
		return account(c.opts.Account, c.opts.Namespace)
	}
	if c.yaml != nil {
		if found := c.chartAccount(); found.name != "" {
			found.namespace = c.opts.Namespace
			return found
		}
	}
	if strings.HasPrefix(c.opts.Creator, accountPrefix) {
		return account(c.opts.Creator, "")
	}
	unnamed := func(r *runner) bool { return runnerLabel(r.name) == "" }
	if c.yaml != nil && slices.ContainsFunc(c.runners, unnamed) {
		// The usual name of a release. Where it is another, the policy matches no
		// pod, and nobody is handed what is not theirs.
		return &creator{name: "gitlab-runner", namespace: c.opts.Namespace, assumed: true}
	}
	return nil
}

const accountPrefix = "system:serviceaccount:"

func account(name, namespace string) *creator {
	if full, ok := strings.CutPrefix(name, accountPrefix); ok {
		namespace, name, _ = strings.Cut(full, ":")
	}
	return &creator{name: name, namespace: namespace}
}

// chartAccount is the manager's account as the chart names it.
func (c *Config) chartAccount() *creator {
	own, rbac := get(c.values, "serviceAccount").value, get(c.values, "rbac").value
	given := get(rbac, "serviceAccountName").str()
	switch {
	case get(own, "name").str() != "":
		return &creator{name: c.resolve(get(own, "name").str())}
	case get(own, "create").isTrue():
		return c.fullname()
	case get(rbac, "create").isTrue():
		if generated := get(rbac, "generatedServiceAccountName").str(); generated != "" {
			return &creator{name: generated}
		}
		return c.fullname()
	case given != "":
		return &creator{name: given}
	case get(rbac, "create").isFalse() && (get(own, "create").isFalse() || !c.ignoresLegacy):
		return &creator{name: "default"}
	default:
		return c.fullname()
	}
}

// fullname is what the chart names its objects.
func (c *Config) fullname() *creator {
	cut := func(s string) string { return strings.TrimSuffix(s[:min(len(s), 63)], "-") }
	if full := get(c.values, "fullnameOverride").str(); full != "" {
		return &creator{name: cut(full)}
	}
	release, chart := c.opts.Release, firstText(get(c.values, "nameOverride").str(), "gitlab-runner")
	switch {
	case release == "":
		return &creator{}
	case strings.HasPrefix(release, chart):
		return &creator{name: cut(release), derived: true}
	default:
		return &creator{name: cut(release + "-" + chart), derived: true}
	}
}
