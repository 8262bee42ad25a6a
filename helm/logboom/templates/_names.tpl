{{/* Names, labels and selectors. Selectors can never be changed on a running release: name, instance, component. */}}

{{- define "logboom.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (default .Chart.Name .Values.nameOverride) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (default .Chart.Name .Values.nameOverride) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* (list $ "web") -> the name of every object of that component */}}
{{- define "logboom.name" -}}
{{- printf "%s-%s" (include "logboom.fullname" (first .)) (last .) -}}
{{- end -}}

{{- define "logboom.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: logboom
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- with last . }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "logboom.labels" -}}
{{- $root := first . -}}
{{ include "logboom.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: logboom
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- define "logboom.metadata" -}}
name: {{ include "logboom.name" . }}
namespace: {{ (first .).Release.Namespace }}
labels:
  {{- include "logboom.labels" . | nindent 2 }}
{{- end -}}

{{- define "logboom.secret" -}}
{{- .Values.secrets.existingSecret | default (include "logboom.name" (list . "secrets")) -}}
{{- end -}}

{{/* (list $ "web" "http") -> the container's port, from the table of edges */}}
{{- define "logboom.port" -}}
{{- $table := (first .).Files.Get "files/edges.yaml" | fromYaml -}}
{{- index $table.ports (index . 1) (last .) -}}
{{- end -}}

{{/* (list "256Mi") -> bytes, of a Kubernetes quantity or of Valkey's own way to write one (256mb) */}}
{{- define "logboom.bytes" -}}
{{- $text := first . | toString | lower | trimSuffix "b" -}}
{{- $number := regexFind "^[0-9]+" $text | int64 -}}
{{- $unit := trimPrefix (regexFind "^[0-9]+" $text) $text -}}
{{- $units := dict "" 1 "k" 1000 "m" 1000000 "g" 1000000000 "t" 1000000000000 "ki" 1024 "mi" 1048576 "gi" 1073741824 "ti" 1099511627776 -}}
{{- if not (hasKey $units $unit) -}}
{{- fail (printf "%v is no size: a whole number and one of k, M, G, T, Ki, Mi, Gi, Ti" (first .)) -}}
{{- end -}}
{{- mul $number (index $units $unit) -}}
{{- end -}}
