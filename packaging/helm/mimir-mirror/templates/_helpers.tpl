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

{{- /* What the kubelet may ask: it has no token and no certificate. "true" if one is needed. */ -}}
{{- define "mimir-mirror.token" -}}
{{- $inFile := and (not .Values.configText) (hasKey .Values.config "admin_token_file") }}
{{- if or $inFile (contains "--admin-token-file" (join " " .Values.args)) (contains "admin_token_file" .Values.configText) }}true{{ end }}
{{- end }}
{{- define "mimir-mirror.tls" -}}
{{- $inFile := and (not .Values.configText) (hasKey .Values.config "admin_tls") }}
{{- if or $inFile (contains "admin_tls" .Values.configText) }}true{{ end }}
{{- end }}

{{- define "mimir-mirror.alive" -}}
{{- if or (include "mimir-mirror.token" .) (include "mimir-mirror.tls" .) -}}
tcpSocket: { port: admin }
{{- else -}}
httpGet: { path: /server_info, port: admin }
{{- end }}
{{- end }}

{{- /* /ready asks for no token, but TLS may ask for a certificate; the clients' port closes with a drain, too. */ -}}
{{- define "mimir-mirror.ready" -}}
{{- if include "mimir-mirror.tls" . -}}
tcpSocket: { port: http }
{{- else -}}
httpGet: { path: /ready, port: admin }
{{- end }}
{{- end }}
