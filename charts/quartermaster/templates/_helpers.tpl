{{/* The name of everything the release creates: the release's name, with the chart's appended unless it is in it. */}}
{{- define "quartermaster.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which the Service and the Deployment find the server's pods; they can never change. */}}
{{- define "quartermaster.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "quartermaster.labels" -}}
{{ include "quartermaster.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* The reference of the server's image. */}}
{{- define "quartermaster.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The Secret that holds the serving certificate. */}}
{{- define "quartermaster.certificateSecret" -}}
{{- .Values.certificates.secretName | default (printf "%s-tls" (include "quartermaster.fullname" .)) -}}
{{- end -}}

{{/*
What both webhooks have in common. Both are asked about the creation of pods and about nothing else: a pod's volumes,
containers and placement cannot be changed afterwards anyway.
*/}}
{{- define "quartermaster.webhook" -}}
admissionReviewVersions: [v1]
clientConfig:
  service:
    name: {{ include "quartermaster.fullname" . }}
    namespace: {{ .Release.Namespace }}
    path: /mutate
    port: 443
  {{- with .Values.certificates.caBundle }}
  caBundle: {{ . }}
  {{- end }}
rules:
- apiGroups: [""]
  apiVersions: [v1]
  operations: [CREATE]
  resources: [pods]
  scope: Namespaced
# The same pod asked for through another version of the API is sent here too, converted.
matchPolicy: Equivalent
# A webhook that runs after this one may add a container or drop what was added; then this one is asked once more.
# Deciding twice adds nothing the second time.
reinvocationPolicy: IfNeeded
# A dry run may be sent here as well: answering a review changes nothing but metrics.
sideEffects: None
timeoutSeconds: {{ .Values.webhook.timeoutSeconds }}
namespaceSelector:
  matchExpressions:
  # What keeps the cluster running, and the server's own pods, must start whatever has become of the server.
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: [kube-system, kube-node-lease, {{ .Release.Namespace | quote }}]
  # The way out for a namespace, and the emergency switch: it works without the server.
  - key: quartermaster.dev/inject
    operator: NotIn
    values: [disabled]
  {{- with .Values.webhook.namespaceSelector.matchExpressions }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
When a ConfigMap that carries the label is looked at: when it still carries it, and its policy is new or changed. The API server
evaluates this itself, so that taking a policy away needs no server of ours.
*/}}
{{- define "quartermaster.policyConditions" -}}
# The object that loses its label is seen too, and always passes.
- name: still-labelled
  expression: "has(object.metadata.labels) && 'quartermaster.dev/policy' in object.metadata.labels"
# What only touches metadata changes no policy: the garbage collector, which may not create pods, must be able to take a
# finalizer off what is being deleted.
- name: changes-the-policy
  expression: >-
    oldObject == null
    || !has(oldObject.metadata.labels) || !('quartermaster.dev/policy' in oldObject.metadata.labels)
    || oldObject.metadata.labels['quartermaster.dev/policy'] != object.metadata.labels['quartermaster.dev/policy']
    || (has(object.data) ? object.data : {}) != (has(oldObject.data) ? oldObject.data : {})
    || (has(object.binaryData) ? object.binaryData : {}) != (has(oldObject.binaryData) ? oldObject.binaryData : {})
{{- end -}}
