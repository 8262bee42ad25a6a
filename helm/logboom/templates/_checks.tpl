{{/* What a schema cannot say: values that only make sense together. Each fault is a sentence with its cure. */}}

{{- define "logboom.checks" -}}
{{- with .Values.broker -}}
{{- if eq .mode "bundled" -}}
{{- $max := include "logboom.bytes" (list .maxmemory) | int64 -}}
{{- $limit := include "logboom.bytes" (list (dig "limits" "memory" "0" .resources)) | int64 -}}
{{- $volume := include "logboom.bytes" (list .storage.size) | int64 -}}
{{- if gt (mul 2 $max) $limit -}}
{{- fail (printf "broker.maxmemory is %s and the memory limit %s: it may be half the limit at most, because rewriting the append-only file can need the memory twice. Lower broker.maxmemory or raise broker.resources.limits.memory." .maxmemory (dig "limits" "memory" "not set" .resources)) -}}
{{- end -}}
{{- if lt $volume (mul 3 $max) -}}
{{- fail (printf "broker.storage.size is %s and broker.maxmemory %s: the volume needs three times maxmemory, for the append-only file while it is rewritten." .storage.size .maxmemory) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.cache -}}
{{- if eq .mode "bundled" -}}
{{- if gt (mul 4 (include "logboom.bytes" (list .maxmemory) | int64)) (mul 3 (include "logboom.bytes" (list (dig "limits" "memory" "0" .resources)) | int64)) -}}
{{- fail (printf "cache.maxmemory is %s: three quarters of cache.resources.limits.memory (%s) at most." .maxmemory (dig "limits" "memory" "not set" .resources)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.worker -}}
{{- if lt (.terminationGracePeriodSeconds | int) (add (mul 2 (add (.deadlineSeconds | int) 2)) 10 | int) -}}
{{- fail (printf "worker.terminationGracePeriodSeconds is %v: a worker that stores or spills what it holds may need 2 x (worker.deadlineSeconds + 2) and 10 seconds more." .terminationGracePeriodSeconds) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "broker" "cache" "timescaledb" -}}
{{- $server := index $.Values $name -}}
{{- if and (eq $server.mode "external") (not $server.external.existingSecret) -}}
{{- fail (printf "%s.mode is external: %s.external.existingSecret must name the Secret that holds its URL." $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.storageClass.create (not .Values.storageClass.provisioner) -}}
{{- fail "storageClass.create needs storageClass.provisioner: which one the cluster has, `kubectl get storageclass` tells." -}}
{{- end -}}
{{- if and .Values.ingress.enabled .Values.httpRoute.enabled -}}
{{- fail "ingress and httpRoute are two ways to the same door: enable one." -}}
{{- end -}}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled) (not .Values.publicURL) -}}
{{- fail "publicURL is empty: an Ingress or HTTPRoute takes its host name from it, e.g. https://logs.example.org." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway that the route shall hang on." -}}
{{- end -}}
{{- end -}}
