{{- define "mimir-mirror.pod" -}}
metadata:
  labels:
    {{- include "mimir-mirror.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # There is no reload: a new configuration makes new pods.
    checksum/config: {{ include "mimir-mirror.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.serviceAccount.create }}
  serviceAccountName: {{ include "mimir-mirror.name" . }}
  {{- end }}
  automountServiceAccountToken: false
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ add .Values.preStopSeconds .Values.drainSeconds 10 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{ include "mimir-mirror.selector" . | nindent 10 }}
  containers:
    - name: mimir-mirror
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - -c
        - /etc/mimir-mirror/mimir-mirror.yaml
        - --drain-time-s={{ .Values.drainSeconds }}
        - --disable-hot-restart
        {{- with .Values.args }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- with .Values.env }}
      env: {{ toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - { name: http, containerPort: {{ include "mimir-mirror.httpPort" . }} }
        - { name: admin, containerPort: {{ include "mimir-mirror.adminPort" . }} }
      startupProbe:
        {{- include "mimir-mirror.alive" . | nindent 8 }}
        periodSeconds: 1
        failureThreshold: 30
      readinessProbe:
        {{- include "mimir-mirror.ready" . | nindent 8 }}
        periodSeconds: 5
      # Not /ready, which says 503 during a drain.
      livenessProbe:
        {{- include "mimir-mirror.alive" . | nindent 8 }}
        periodSeconds: 10
      lifecycle:
        # Until the pod is out of its Service: a drain closes the listener at once.
        preStop:
          sleep: { seconds: {{ .Values.preStopSeconds }} }
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      resources: {{ toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: config, mountPath: /etc/mimir-mirror, readOnly: true }
        {{- if include "mimir-mirror.durable" . }}
        - { name: backlog, mountPath: /var/lib/mimir-mirror }
        {{- end }}
        {{- with .Values.volumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - name: config
      configMap: { name: {{ include "mimir-mirror.name" . }} }
    {{- with .Values.volumes }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
