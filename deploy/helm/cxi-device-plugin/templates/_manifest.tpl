{{/* A manifest of deploy/, with the resource's name changed. */}}
{{- define "cxi.manifest" -}}
{{- $text := .root.Files.Get (printf "manifests/%s" .file) -}}
{{- if not $text }}{{ fail (printf "manifests/%s is missing: package the chart from the source tree" .file) }}{{ end -}}
{{- $text | replace "'beta.hpe.com/cxi'" (printf "'%s'" .root.Values.resource) | replace "resourceName: beta.hpe.com/cxi" (printf "resourceName: %s" .root.Values.resource) -}}
{{- end -}}

{{/* The expression of a policy's variable is another one. */}}
{{- define "cxi.set" -}}
{{- $name := .name }}{{- $expression := .expression -}}
{{- range .policy.spec.variables }}{{ if eq .name $name }}{{ $_ := set . "expression" $expression }}{{ end }}{{ end -}}
{{- end -}}
