{{- define "tutti.name" -}}
{{- if contains "tutti" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-tutti" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tutti.services" -}}
gateway planner memory retriever tools router
{{- end -}}

{{/* Values of one service over what all have in common. Called with (list $ "planner"). */}}
{{- define "tutti.valuesOf" -}}
{{- $root := index . 0 -}}
{{- mustMergeOverwrite (mustDeepCopy $root.Values.defaults) (mustDeepCopy (index $root.Values (index . 1) | default dict)) | toYaml -}}
{{- end -}}

{{/* Called with (list $ "planner"). */}}
{{- define "tutti.selector" -}}
app.kubernetes.io/name: tutti
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "tutti.labels" -}}
{{ include "tutti.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version }}
{{- end -}}

{{- define "tutti.image" -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end -}}

{{- define "tutti.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "tutti.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "tutti.natsUrl" -}}
{{- if .Values.nats.enabled -}}
{{- $name := include "tutti.name" . -}}
{{- $urls := list -}}
{{- range $i := until (int .Values.nats.replicas) -}}
{{- $urls = append $urls (printf "nats://%s-nats-%d.%s-nats:4222" $name $i $name) -}}
{{- end -}}
{{- if eq (len $urls) 1 -}}
{{- printf "nats://%s-nats:4222" $name -}}
{{- else -}}
{{- join "," $urls -}}
{{- end -}}
{{- else -}}
{{- required "nats.url: where is your NATS? (nats.enabled is false)" .Values.nats.url -}}
{{- end -}}
{{- end -}}

{{- define "tutti.hasMongo" -}}
{{- if or .Values.mongodb.enabled .Values.mongodb.url .Values.mongodb.existingSecret -}}true{{- end -}}
{{- end -}}

{{- define "tutti.authSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-api-keys" (include "tutti.name" .)) -}}
{{- end -}}

{{/* What whoever speaks to the bus is told about it. */}}
{{- define "tutti.busEnv" -}}
- { name: NATS_URL, value: {{ include "tutti.natsUrl" . | quote }} }
- { name: TUTTI_PARTITIONS, value: {{ .Values.partitions | quote }} }
- { name: TUTTI_LOG_STREAMS, value: {{ .Values.logStreams | quote }} }
- { name: TUTTI_NATS_REPLICAS, value: {{ ternary .Values.nats.replicas .Values.nats.streamReplicas .Values.nats.enabled | quote }} }
- { name: TUTTI_LOG_LEVEL, value: {{ .Values.logLevel | quote }} }
{{- with .Values.nats.existingSecret }}
- { name: TUTTI_NATS_USER, valueFrom: { secretKeyRef: { name: {{ . }}, key: TUTTI_NATS_USER } } }
- { name: TUTTI_NATS_PASSWORD, valueFrom: { secretKeyRef: { name: {{ . }}, key: TUTTI_NATS_PASSWORD } } }
{{- end }}
{{- end -}}

{{- define "tutti.bundleConfigMap" -}}
{{- .Values.bundle.existingConfigMap | default (printf "%s-bundle" (include "tutti.name" .)) -}}
{{- end -}}

{{/* Whether the bundle comes from a ConfigMap. */}}
{{- define "tutti.bundleMounted" -}}
{{- if or .Values.bundle.files .Values.bundle.binaryFiles .Values.bundle.existingConfigMap -}}true{{- end -}}
{{- end -}}

{{/* Beside the repository's own packages, so that servers of the bundle find theirs. */}}
{{- define "tutti.bundlePath" -}}
{{- if include "tutti.bundleMounted" . -}}/tutti/bundle{{- else -}}{{ .Values.bundle.path }}{{- end -}}
{{- end -}}

{{/* Of a file, in the ConfigMap: paths may have what keys may not, and no two have the same. */}}
{{- define "tutti.bundleKey" -}}
{{- printf "%s.%s" (sha256sum . | trunc 8) (regexReplaceAll "[^-._a-zA-Z0-9]" . "_" | trunc 200) -}}
{{- end -}}

{{- define "tutti.bundleVolume" -}}
- name: bundle
  configMap:
    name: {{ include "tutti.bundleConfigMap" . }}
    {{- if or .Values.bundle.files .Values.bundle.binaryFiles }}
    items:
      {{- range $path := concat (keys .Values.bundle.files) (keys .Values.bundle.binaryFiles) | sortAlpha }}
      - { key: {{ include "tutti.bundleKey" $path | quote }}, path: {{ $path | quote }} }
      {{- end }}
    {{- else if .Values.bundle.items }}
    items: {{ toYaml .Values.bundle.items | nindent 6 }}
    {{- end }}
{{- end -}}

{{- define "tutti.checks" -}}
{{- if and (gt (int (include "tutti.valuesOf" (list . "memory") | fromYaml).replicas) 1) (not (include "tutti.hasMongo" .)) -}}
{{- fail "memory has several replicas and no MongoDB: each would keep turns of its own. Set mongodb.enabled, mongodb.url or mongodb.existingSecret, or memory.replicas=1" -}}
{{- end -}}
{{- if and .Values.auth.open .Values.auth.existingSecret -}}
{{- fail "auth.open and auth.existingSecret contradict each other" -}}
{{- end -}}
{{- $bytes := 0 -}}
{{- range $text := values .Values.bundle.files }}{{ $bytes = add $bytes (len $text) }}{{ end -}}
{{- range $base64 := values .Values.bundle.binaryFiles }}{{ $bytes = add $bytes (div (mul (len $base64) 3) 4) }}{{ end -}}
{{- if gt $bytes 1000000 -}}
{{- fail (printf "bundle.files have %d bytes, and a ConfigMap holds 1 MiB: build an image with the bundle (bundle.path), or ingest its documents on their own" $bytes) -}}
{{- end -}}
{{- range $name := splitList " " (include "tutti.services" .) -}}
{{- $v := include "tutti.valuesOf" (list $ $name) | fromYaml -}}
{{- if and (eq $v.autoscaling.kind "keda") (ne $name "gateway") (not $.Values.prometheusUrl) -}}
{{- fail (printf "%s.autoscaling.kind is keda: set prometheusUrl, which KEDA asks" $name) -}}
{{- end -}}
{{- if and (eq $v.autoscaling.kind "hpa") (not $v.resources.requests.cpu) -}}
{{- fail (printf "%s.autoscaling.kind is hpa: set %s.resources.requests.cpu, which the percentage is of" $name $name) -}}
{{- end -}}
{{- if and (ne $v.autoscaling.kind "none") (gt (int $v.autoscaling.min) (int $v.autoscaling.max)) -}}
{{- fail (printf "%s.autoscaling.min is more than max" $name) -}}
{{- end -}}
{{- end -}}
{{- $planner := include "tutti.valuesOf" (list . "planner") | fromYaml -}}
{{- if gt (ternary (int $planner.replicas) (int $planner.autoscaling.max) (eq $planner.autoscaling.kind "none")) (int .Values.partitions) -}}
{{- fail "there can be as many planners as partitions, and more have nothing to do: lower planner.replicas or planner.autoscaling.max" -}}
{{- end -}}
{{- end -}}

{{- define "tutti.claim" -}}
accessModes: [ReadWriteOnce]
{{- if not (kindIs "invalid" .storageClass) }}
storageClassName: {{ .storageClass | quote }}
{{- end }}
{{- with .selector }}
selector: {{ toYaml . | nindent 2 }}
{{- end }}
resources: { requests: { storage: {{ .size }} } }
{{- end -}}

{{/* What whoever speaks to the gateway is told about it. */}}
{{- define "tutti.clientEnv" -}}
- { name: TUTTI_URL, value: 'http://{{ include "tutti.name" . }}-gateway:{{ .Values.gateway.service.port }}' }
{{- if not .Values.auth.open }}
- { name: TUTTI_API_KEY, valueFrom: { secretKeyRef: { name: {{ include "tutti.authSecret" . }}, key: TUTTI_API_KEY } } }
{{- end }}
{{- end -}}

{{/* A query about this release's pods alone: each metric gets their selector. Called with (list $ "sum(tutti_planner_lag)"). */}}
{{- define "tutti.ofPods" -}}
{{- $root := index . 0 -}}
{{- $metric := "\\b((?:tutti|gen_ai_client|gen_ai_execute|http_server|nodejs|process)_[a-z0-9_]+)" -}}
{{- $of := printf "namespace=%q, pod=~%q" $root.Release.Namespace (printf "%s-.*" (include "tutti.name" $root)) -}}
{{- $some := regexReplaceAll (printf "%s\\{" $metric) (index . 1) (printf "${1}{%s, " $of) -}}
{{- regexReplaceAll (printf "%s([^{a-z0-9_]|$)" $metric) $some (printf "${1}{%s}${2}" $of) -}}
{{- end -}}
