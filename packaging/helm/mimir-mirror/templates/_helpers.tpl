{{- define "mimir-mirror.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "mimir-mirror.selector" -}}
app.kubernetes.io/name: mimir-mirror
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mimir-mirror.labels" -}}
{{ include "mimir-mirror.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- /* The configuration's text. */ -}}
{{- define "mimir-mirror.config" -}}
{{- if .Values.configText }}{{ .Values.configText }}{{ else }}{{ toYaml .Values.config }}{{ end }}
{{- end }}

{{- /* "true" if any mirror keeps copies on disk. */ -}}
{{- define "mimir-mirror.durable" -}}
{{- $durable := .Values.durable }}
{{- if not .Values.configText }}
{{- range .Values.config.mirrors }}{{ if eq (.delivery | default "memory") "durable" }}{{ $durable = true }}{{ end }}{{ end }}
{{- end }}
{{- if $durable }}true{{ end }}
{{- end }}

{{- /* The ports, from the configuration where it is a map. */ -}}
{{- define "mimir-mirror.port" -}}
{{- $address := index .root.Values.config .key | default "" }}
{{- if kindIs "map" $address }}{{ $address = $address.address }}{{ end }}
{{- if or .root.Values.configText (not $address) }}{{ index .root.Values.ports .name }}
{{- else }}{{ regexFind "[0-9]+$" $address }}{{ end }}
{{- end }}
{{- define "mimir-mirror.httpPort" }}{{ include "mimir-mirror.port" (dict "root" . "key" "listen" "name" "http") }}{{ end }}
{{- define "mimir-mirror.adminPort" }}{{ include "mimir-mirror.port" (dict "root" . "key" "admin" "name" "admin") }}{{ end }}
