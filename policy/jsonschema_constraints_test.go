package policy_test

import "quartermaster.dev/policy"

// Patterns of what Kubernetes and this package take.
const (
	labelName     = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	namespaceGlob = `^[a-z0-9*?]([-a-z0-9*?]*[a-z0-9*?])?$`
	secretName    = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	secretGlob    = `^[a-z0-9*?]([-.a-z0-9*?]*[a-z0-9*?])?$`
	secretKey     = `^[-._a-zA-Z0-9]+$`
	absolutePath  = `^/([^/:]+(/[^/:]+)*)?$`
	relativePath  = `^[^/:]+(/[^/:]+)*$`
	envName       = `^[-._a-zA-Z][-._a-zA-Z0-9]*$`
	envGlob       = `^[-._a-zA-Z*?][-._a-zA-Z0-9*?]*$`
	labelKey      = `^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	labelKeyGlob  = `^([a-z0-9*?]([-a-z0-9.*?]*[a-z0-9*?])?/)?[A-Za-z0-9*?]([-A-Za-z0-9_.*?]*[A-Za-z0-9*?])?$`
	labelValue    = `^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
	labelGlob     = `^[A-Za-z0-9*?]([-A-Za-z0-9_.*?]*[A-Za-z0-9*?])?$`
)

var (
	someItems      = schema{"minItems": 1}
	someProperties = schema{"minProperties": 1}
	runnersOwn     = schema{"enum": []string{"build", "helper"}}
)

func pattern(p string) schema { return schema{"pattern": p} }

// constraints are what the schema says of a field beyond its type: what holds
// for the field alone.
var constraints = map[string]schema{
	"JobPolicy.apiVersion": {"const": policy.APIVersion},
	"JobPolicy.kind":       {"const": policy.KindJobPolicy},
	"JobPolicy.name":       {"pattern": labelName, "maxLength": 63},
	"JobPolicy.mode":       {"enum": []string{policy.ModeEnforce, policy.ModeAudit}, "default": policy.ModeEnforce},
	"JobPolicy.inject":     someProperties,

	"Match.projectIDs":         someItems,
	"Match.projectIDs[]":       {"minimum": 1},
	"Match.rootNamespaceIDs":   someItems,
	"Match.rootNamespaceIDs[]": {"minimum": 1},
	"Match.runnerNames":        someItems,
	"Match.runnerNames[]":      pattern(`[A-Za-z0-9]`),
	"Match.createdBy":          someItems,
	"Match.podSelector":        someProperties,
	"Match.namespaces":         someItems,
	"Match.namespaces[]":       pattern(namespaceGlob),

	"Subject.kind":     {"enum": []string{"ServiceAccount", "User", "Group"}},
	"Subject.apiGroup": {"enum": []string{"", "rbac.authorization.k8s.io"}},
	"Subject.name":     {"minLength": 1},

	"LabelSelector.matchLabels[]":       pattern(labelValue),
	"LabelSelectorRequirement.key":      pattern(labelKey),
	"LabelSelectorRequirement.operator": {"enum": []string{"In", "NotIn", "Exists", "DoesNotExist"}},
	"LabelSelectorRequirement.values[]": pattern(labelValue),

	"SecretMount.name":         {"pattern": secretName, "maxLength": 253},
	"SecretMount.preset":       {"enum": policy.Presets()},
	"SecretMount.home":         pattern(`^/[A-Za-z0-9/._+@-]*$`),
	"SecretMount.key":          {"pattern": secretKey, "maxLength": 253},
	"SecretMount.mountPath":    pattern(absolutePath),
	"SecretMount.items":        someItems,
	"SecretMount.subPath":      pattern(relativePath),
	"SecretMount.containers":   {"minItems": 1, "uniqueItems": true},
	"SecretMount.containers[]": runnersOwn,
	"KeyToPath.key":            {"pattern": secretKey, "maxLength": 253},
	"KeyToPath.path":           pattern(relativePath),
	// Editors read 0600 as six hundred, for YAML 1.2 has another notation for
	// octal numbers.
	"SecretMount.defaultMode": {"minimum": 0, "maximum": 777},

	"EnvVar.name":            pattern(envName),
	"SecretKeySelector.name": {"pattern": secretName, "maxLength": 253},
	"SecretKeySelector.key":  {"pattern": secretKey, "maxLength": 253},

	"Inject.nodeSelector":   {"propertyNames": pattern(labelKey)},
	"Inject.nodeSelector[]": pattern(labelValue),
	"Inject.resources":      someProperties,

	"Toleration.key":      pattern("^$|" + labelKey),
	"Toleration.operator": {"enum": []string{"", "Equal", "Exists"}, "default": "Equal"},
	"Toleration.value":    pattern(labelValue),
	"Toleration.effect":   {"enum": []string{"", "NoSchedule", "PreferNoSchedule", "NoExecute"}},

	"Resources.build":    someProperties,
	"Resources.helper":   someProperties,
	"Resources.services": someProperties,

	"Guardrail.apiVersion":   {"const": policy.APIVersion},
	"Guardrail.kind":         {"const": policy.KindGuardrail},
	"Guardrail.name":         {"pattern": labelName, "maxLength": 63},
	"Guardrail.namespaces":   someItems,
	"Guardrail.namespaces[]": pattern(namespaceGlob),
	"Guardrail.allow":        someProperties,

	"Allow.secretNames[]":    pattern(secretGlob),
	"Allow.mountPaths[]":     pattern(`^/([^/:*?]+(/[^/:*?]+)*)?$`),
	"Allow.envNames[]":       pattern(envGlob),
	"Allow.containers[]":     runnersOwn,
	"Allow.nodeSelector":     {"propertyNames": pattern(labelKey)},
	"Allow.nodeSelector[][]": pattern(labelGlob),
	"Allow.tolerationKeys[]": pattern(labelKeyGlob),
}
