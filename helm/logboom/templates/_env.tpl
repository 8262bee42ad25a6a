{{/*
What the roles are told. Each name is a variable of docs/configuration.md, but for the passwords that a URL
after them is made of, and libpq's PGSSL*. (list $ "web" "database" "broker" …) -> env entries.
*/}}

{{- define "logboom.env" -}}
{{- $root := first . -}}
{{- $name := index . 1 -}}
{{- $wants := slice . 2 -}}
{{- $values := include "logboom.values" (list $root $name) | fromYaml -}}
- {name: HOME, value: /tmp}
- {name: PYTHONUNBUFFERED, value: "1"}
{{ include "logboom.fromSecret" (list $root "SECRET_KEY" "secret-key") }}
{{- if has "database" $wants }}
{{ include "logboom.databaseEnv" $root }}
{{- end }}
{{- if has "broker" $wants }}
{{ include "logboom.serverEnv" (list $root "broker" "BROKER") }}
{{- end }}
{{- if has "cache" $wants }}
{{ include "logboom.serverEnv" (list $root "cache" "CACHE") }}
{{- end }}
{{- if has "public" $wants }}
{{ include "logboom.publicEnv" $root }}
{{- end }}
{{- range $key, $value := mergeOverwrite (deepCopy $root.Values.settings) $values.env }}
- {name: {{ $key }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end -}}

{{/* (list $ "NAME" "key" ["other Secret"]) */}}
{{- define "logboom.fromSecret" -}}
{{- $secret := gt (len .) 3 | ternary (index . (sub (len .) 1)) (include "logboom.secret" (first .)) -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ index . 2 }}}
{{- end -}}

{{- define "logboom.databaseEnv" -}}
{{- $external := .Values.timescaledb.external -}}
{{- if eq .Values.timescaledb.mode "bundled" -}}
{{ include "logboom.fromSecret" (list . "DATABASE_PASSWORD" "database-password") }}
- name: DATABASE_URL
  value: postgresql://logboom:$(DATABASE_PASSWORD)@{{ include "logboom.name" (list . "timescaledb") }}:{{ include "logboom.port" (list . "timescaledb" "postgresql") }}/logboom
{{- else -}}
{{ include "logboom.fromSecret" (list . "DATABASE_URL" $external.urlKey $external.existingSecret) }}
{{- with $external.readUrlKey }}
{{ include "logboom.fromSecret" (list $ "DATABASE_READ_URL" . $external.existingSecret) }}
{{- end }}
- {name: PGSSLMODE, value: {{ $external.sslMode }}}
{{- if $external.caSecret }}
- {name: PGSSLROOTCERT, value: /etc/logboom/database-ca/ca.crt}
{{- end }}
{{- end -}}
{{- end -}}

{{/* (list $ "broker" "BROKER") -> BROKER_URL */}}
{{- define "logboom.serverEnv" -}}
{{- $root := first . -}}
{{- $name := index . 1 -}}
{{- $server := index $root.Values $name -}}
{{- if eq $server.mode "bundled" -}}
{{ include "logboom.fromSecret" (list $root (printf "%s_PASSWORD" (last .)) (printf "%s-password" $name)) }}
- name: {{ last . }}_URL
  value: redis://:$({{ last . }}_PASSWORD)@{{ include "logboom.name" (list $root $name) }}:{{ include "logboom.port" (list $root $name "redis") }}/0
{{- else -}}
{{ include "logboom.fromSecret" (list $root (printf "%s_URL" (last .)) $server.external.urlKey $server.external.existingSecret) }}
{{- end -}}
{{- end -}}

{{/* One value says how people reach Logboom: links, cookies, CSRF, host names and the proxy's scheme follow. */}}
{{- define "logboom.publicEnv" -}}
{{- $url := .Values.publicURL | trimSuffix "/" -}}
- {name: PUBLIC_URL, value: {{ $url | default "http://127.0.0.1:8000" | quote }}}
- {name: INGEST_PUBLIC_URL, value: {{ .Values.ingestPublicURL | default $url | default "http://127.0.0.1:8001" | quote }}}
{{- if $url }}
- {name: ALLOWED_HOSTS, value: {{ printf "%s,%s,localhost,127.0.0.1" ((urlParse $url).host | splitList ":" | first) (include "logboom.name" (list . "web")) | quote }}}
{{- end }}
{{- if hasPrefix "https://" $url }}
- {name: TRUST_PROXY, value: "1"}
{{- end }}
{{- end -}}
