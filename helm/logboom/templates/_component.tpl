{{/*
What every component has in common, so that each of their templates shows only what is its own.
All take (list $ "name"); a component's own values lie over .Values.defaults.
*/}}

{{- define "logboom.values" -}}
{{- $root := first . -}}
{{- mergeOverwrite (deepCopy $root.Values.defaults) (index $root.Values (last .)) | toYaml -}}
{{- end -}}

{{/* Whether a component is installed. "true" or nothing. */}}
{{- define "logboom.installed" -}}
{{- $root := first . -}}
{{- $name := last . -}}
{{- if has $name (list "broker" "cache" "timescaledb") -}}
{{- if eq (index $root.Values $name).mode "bundled" }}true{{ end -}}
{{- else if has $name (list "flower" "producer") -}}
{{- if (index $root.Values $name).enabled }}true{{ end -}}
{{- else if eq $name "secrets" -}}
{{- if not $root.Values.secrets.existingSecret }}true{{ end -}}
{{- else -}}
true
{{- end -}}
{{- end -}}

{{- define "logboom.podMetadata" -}}
{{- $values := include "logboom.values" . | fromYaml -}}
{{- $table := (first .).Files.Get "files/edges.yaml" | fromYaml -}}
labels: # no version here: a new chart must not restart the database
  {{- include "logboom.selector" . | nindent 2 }}
  logboom.io/tier: {{ index $table.tiers (last .) }}
  {{- with include "logboom.meshLabels" (first .) }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge $values.podAnnotations (include "logboom.meshAnnotations" (first .) | fromYaml) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The pod's part that is not containers and volumes. */}}
{{- define "logboom.pod" -}}
{{- $root := first . -}}
{{- $values := include "logboom.values" . | fromYaml -}}
{{- $user := include "logboom.user" . -}}
serviceAccountName: {{ include "logboom.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  seccompProfile: {type: RuntimeDefault}
  {{- if $user }}
  runAsUser: {{ $user }}
  runAsGroup: {{ $user }}
  fsGroup: {{ $user }}
  # Always, the default, makes PGDATA writable for its group at the second mount, and PostgreSQL refuses that.
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
tolerations:
  {{- range list "not-ready" "unreachable" }}
  - {key: node.kubernetes.io/{{ . }}, operator: Exists, effect: NoExecute, tolerationSeconds: {{ $values.lostNodeSeconds }}}
  {{- end }}
  {{- with $values.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- include "logboom.spread" . }}
{{- end -}}

{{/* Replicas apart: as a wish (soft), as a condition (hard), or as the values' own affinity says. */}}
{{- define "logboom.spread" -}}
{{- $values := include "logboom.values" . | fromYaml -}}
{{- if $values.affinity }}
affinity:
  {{- toYaml $values.affinity | nindent 2 }}
{{- else if eq $values.spread "hard" }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "logboom.selector" . | nindent 12 }}
{{- end }}
{{- if and (ne $values.spread "none") (has (last .) (list "web" "ingest" "worker" "producer")) }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "logboom.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The number of the user that the component's image is made for; empty lets the cluster choose. */}}
{{- define "logboom.user" -}}
{{- $root := first . -}}
{{- $name := last . -}}
{{- if eq $name "timescaledb" -}}
{{- index (dict "timescaledb" 70 "timescaledb-ha" 1000 "debian" 999) $root.Values.timescaledb.flavor -}}
{{- else if has $name (list "broker" "cache") -}}
{{- (index $root.Values $name).image.user | default "" -}}
{{- else -}}
{{- $root.Values.image.user | default "" -}}
{{- end -}}
{{- end -}}

{{- define "logboom.image" -}}
{{- $root := first . -}}
{{- $own := has (last .) (list "timescaledb" "broker" "cache") -}}
{{- $image := ternary (index $root.Values (last .) | dig "image" dict) $root.Values.image $own -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The container's part that is not its name, command, environment and probes. */}}
{{- define "logboom.container" -}}
{{- $root := first . -}}
{{- $values := include "logboom.values" . | fromYaml -}}
image: {{ include "logboom.image" . }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources:
  {{- toYaml $values.resources | nindent 2 }}
{{- end -}}

{{/* Whether the component is handed the CA of an external database. */}}
{{- define "logboom.databaseCA" -}}
{{- $database := (first .).Values.timescaledb -}}
{{- if and (eq $database.mode "external") $database.external.caSecret (has (last .) (list "web" "worker" "migrate")) }}true{{ end -}}
{{- end -}}

{{- define "logboom.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if include "logboom.databaseCA" . }}
- {name: database-ca, mountPath: /etc/logboom/database-ca, readOnly: true}
{{- end }}
{{- with (include "logboom.values" . | fromYaml).extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "logboom.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- if include "logboom.databaseCA" . }}
- name: database-ca
  secret:
    secretName: {{ (first .).Values.timescaledb.external.caSecret }}
    items: [{key: {{ (first .).Values.timescaledb.external.caKey }}, path: ca.crt}]
{{- end }}
{{- with (include "logboom.values" . | fromYaml).extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A role's probes over HTTP. Neither asks for broker or database: a restart would not bring those back. */}}
{{- define "logboom.probes" -}}
{{- $port := last . -}}
startupProbe:
  httpGet: {path: /livez, port: {{ $port }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: {{ $port }}}
  periodSeconds: 15
  timeoutSeconds: 10
  failureThreshold: 4
readinessProbe:
  httpGet: {path: /readyz, port: {{ $port }}}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end -}}

{{/* For the roles that read or write tables: the migration Job makes those. */}}
{{- define "logboom.waitForMigrations" -}}
- name: wait-for-migrations
  {{- include "logboom.container" . | nindent 2 }}
  command: [python, manage.py]
  args: [wait, migrations]
  env:
    {{- include "logboom.env" (list (first .) (last .) "database") | nindent 4 }}
  volumeMounts:
    {{- include "logboom.volumeMounts" . | nindent 4 }}
{{- end -}}

{{/* (list $ "broker" "spill" "10Gi") -> a claim template; its name can never be changed on a running release */}}
{{- define "logboom.claim" -}}
{{- $root := first . -}}
{{- $storage := (index $root.Values (index . 1)).storage -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: {{ last . }}
    labels:
      {{- include "logboom.selector" (list $root (index . 1)) | nindent 6 }}
  spec:
    accessModes: [{{ $storage.accessMode }}]
    {{- with $storage.className | default $root.Values.storage.className }}
    storageClassName: {{ . }}
    {{- end }}
    {{- with $storage.volumeAttributesClassName }}
    volumeAttributesClassName: {{ . }}
    {{- end }}
    resources:
      requests: {storage: {{ $storage.size }}}
{{- end -}}
