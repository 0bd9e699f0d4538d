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
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of every object of the server. */}}
{{- define "quartermaster.labels" -}}
{{ include "quartermaster.selectorLabels" . }}
{{ include "quartermaster.commonLabels" . }}
{{- end -}}

{{/* Labels by which the pod that rotates certificates is found: not those of the server, or the Service would find it too. */}}
{{- define "quartermaster.certsSelectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-certs
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of every object of the process that rotates certificates. */}}
{{- define "quartermaster.certsLabels" -}}
{{ include "quartermaster.certsSelectorLabels" . }}
{{ include "quartermaster.commonLabels" . }}
{{- end -}}

{{/* Labels of every object of a hook. */}}
{{- define "quartermaster.hookLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-hook
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{ include "quartermaster.commonLabels" . }}
{{- end -}}

{{- define "quartermaster.commonLabels" -}}
app.kubernetes.io/part-of: {{ .Chart.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* A hook's objects go when it is through, whether it succeeded or failed: they belong to no release and would stay. */}}
{{- define "quartermaster.hookDeletePolicy" -}}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
{{- end -}}

{{/* The reference of the image. */}}
{{- define "quartermaster.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The Secret that holds the serving certificate. That of cert-manager has a name of its own, or one mode could not follow
the other: Helm takes over no Secret that somebody else has made. */}}
{{- define "quartermaster.certificateSecret" -}}
{{- if eq .Values.certificates.mode "provided" -}}
{{- .Values.certificates.provided.secretName -}}
{{- else if eq .Values.certificates.mode "cert-manager" -}}
{{- printf "%s-cert-manager-tls" (include "quartermaster.fullname" .) -}}
{{- else -}}
{{- printf "%s-tls" (include "quartermaster.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* What a schema cannot say: a certificate that is renewed when it is made would be renewed for ever. */}}
{{- define "quartermaster.checkDurations" -}}
{{- with .Values.certificates -}}
{{- if le (.duration | trimSuffix "h" | int) (.renewBefore | trimSuffix "h" | int) -}}
{{- fail (printf "certificates.duration %s must be longer than certificates.renewBefore %s" .duration .renewBefore) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What keeps every pod of the release from more than it needs. */}}
{{- define "quartermaster.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "quartermaster.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where every pod of the release runs, and with what its image is pulled. */}}
{{- define "quartermaster.placement" }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
What a hook's pod is, its container aside. It ends by itself, one way or the other, and is never tried twice: Helm reports
the first failure.
*/}}
{{- define "quartermaster.hookPod" -}}
restartPolicy: Never
securityContext:
  {{- include "quartermaster.podSecurityContext" . | nindent 2 }}
{{- include "quartermaster.placement" . }}
{{- end -}}

{{/* What a hook's container is, its command aside. */}}
{{- define "quartermaster.hookContainer" -}}
image: {{ include "quartermaster.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
resources:
  {{- toYaml .Values.hooks.resources | nindent 2 }}
securityContext:
  {{- include "quartermaster.containerSecurityContext" . | nindent 2 }}
{{- end -}}

{{/*
What each webhook configuration says of the certificate. In mode cert-manager its CA injector fills caBundle in. It is told of
the authority and not of the serving certificate: so the API server trusts a renewed authority long before a certificate
that it has signed is served. In mode builtin quartermaster-certs does, and only where it is told to: so an upgrade to another
mode ends that in the very write that hands the field on.
*/}}
{{- define "quartermaster.caAnnotations" -}}
{{- if eq .Values.certificates.mode "cert-manager" -}}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "quartermaster.fullname" . }}-ca
{{- else if eq .Values.certificates.mode "builtin" -}}
annotations:
  quartermaster.dev/certificates: builtin
{{- end -}}
{{- end -}}

{{/*
Where the API server calls the server, at .path. Without a caBundle the field is somebody else's, who fills it in; an upgrade and
a rollback within one mode leave it as it is.
*/}}
{{- define "quartermaster.clientConfig" -}}
service:
  name: {{ include "quartermaster.fullname" .root }}
  namespace: {{ .root.Release.Namespace | quote }}
  path: {{ .path }}
  port: 443
{{- with .root.Values.certificates.provided.caBundle }}
caBundle: {{ . }}
{{- end }}
{{- end -}}

{{/*
What both webhooks have in common. Both are asked about the creation of pods and about nothing else: a pod's volumes,
containers and placement cannot be changed afterwards anyway.
*/}}
{{- define "quartermaster.webhook" -}}
admissionReviewVersions: [v1]
clientConfig:
  {{- include "quartermaster.clientConfig" (dict "root" . "path" "/mutate") | nindent 2 }}
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

{{/* Where to look, for somebody who wonders why the certificate is not renewed. */}}
{{- define "quartermaster.renewalHint" -}}
{{- $name := include "quartermaster.fullname" . -}}
{{- if eq .Values.certificates.mode "builtin" -}}
kubectl -n {{ .Release.Namespace }} logs deployment/{{ $name }}-certs
{{- else if eq .Values.certificates.mode "cert-manager" -}}
kubectl -n {{ .Release.Namespace }} describe certificate {{ $name }}-tls {{ $name }}-ca
{{- else -}}
whoever provides it
{{- end -}}
{{- end -}}
