{{- /* Gives every value that is missing its default. Helm takes an earlier release's values in place of values.yaml with
--reuse-values, so that what is new since is not there. Every template begins with this. Inside the values listed below an
absent key has a meaning of its own. */}}
{{- define "paceline.fill" -}}
{{- $open := list "policy" "resources" "nodeSelector" "affinity" "podAnnotations" }}
{{- range $key, $default := .Files.Get "files/defaults.yaml" | fromYaml }}
{{- if not (hasKey $.Values $key) }}{{ $_ := set $.Values $key $default }}
{{- else if and (kindIs "map" $default) (not (has $key $open)) }}
{{- range $inner, $value := $default }}
{{- if not (hasKey (get $.Values $key) $inner) }}{{ $_ := set (get $.Values $key) $inner $value }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "paceline.name" -}}
{{- if contains "paceline" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-paceline" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "paceline.labels" -}}
app.kubernetes.io/name: paceline
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* The label by which Paceline never holds its own pods. Give "root" and "component". */}}
{{- define "paceline.selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
paceline.dev/component: {{ .component }}
{{- end }}

{{- define "paceline.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "paceline.podSecurity" -}}
runAsNonRoot: true
{{- if .Values.fixedUser }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "paceline.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "paceline.caBundle" -}}
{{- if and (eq .Values.certificates.mode "files") .Values.certificates.caBundle }}
caBundle: {{ .Values.certificates.caBundle }}
{{- end }}
{{- end }}

{{- /* Labels and annotations as YAML, each value as text: --set and YAML make a number of 1 and a boolean of true, which the
API server refuses. Null takes a key out. */}}
{{- define "paceline.texts" -}}
{{- $texts := dict }}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{- $_ := set $texts $key (kindIs "string" $value | ternary $value (toJson $value)) }}
{{- end }}
{{- end }}
{{- toYaml $texts }}
{{- end }}

{{- define "paceline.webhookAnnotations" -}}
{{- $annotations := deepCopy .Values.webhooks.annotations }}
{{- if eq .Values.certificates.mode "cert-manager" }}
{{- $_ := set $annotations "cert-manager.io/inject-ca-from" (printf "%s/%s" .Release.Namespace (include "paceline.name" .)) }}
{{- end }}
{{- with $annotations }}
annotations: {{- include "paceline.texts" . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Replicas on different nodes, each version by itself: old replicas must not draw new ones together. No zones here:
kube-scheduler leaves nodes that lack the key of any constraint out of all of them. Give "root" and "component". */}}
{{- define "paceline.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  # Two replicas on one node are better than one.
  whenUnsatisfiable: ScheduleAnyway
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels: {{- include "paceline.selector" . | nindent 6 }}
{{- end }}

{{- /* Replicas in different zones, where there are zones. Give "root" and "component". */}}
{{- define "paceline.zones" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: topology.kubernetes.io/zone
        matchLabelKeys: [pod-template-hash]
        labelSelector:
          matchLabels: {{- include "paceline.selector" . | nindent 12 }}
{{- end }}

{{- /* What every replica sees besides pods and nodes, also one that only follows. */}}
{{- define "paceline.lookRules" -}}
# Knows which pods a new node still lacks. Without this right each new node gets a roll call, needed or not.
- {apiGroups: [apps], resources: [daemonsets], verbs: [list, watch]}
# Knows the labels of namespaces, which decide whose pods are paced.
- {apiGroups: [""], resources: [namespaces], verbs: [list, watch]}
{{- if .Values.watchEvents }}
# Learns of sandboxes that kubelets could not make. RBAC cannot narrow this to a reason.
- {apiGroups: [""], resources: [events], verbs: [list, watch]}
{{- end }}
{{- end }}

{{- /* The rules of one replica. */}}
{{- define "paceline.clusterRules" -}}
# Sees every pod; patches gates, tolerations and its own annotations. Never creates, deletes or evicts one.
- {apiGroups: [""], resources: [pods], verbs: [get, list, watch, patch]}
# Sees every node; patches the fence.
- {apiGroups: [""], resources: [nodes], verbs: [get, list, watch, patch]}
{{ include "paceline.lookRules" . }}
# Says why a pod waits.
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create]}
{{- if eq .Values.certificates.mode "automatic" }}
# Writes the CA bundle into its own webhooks, and into no others.
- {apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations, validatingwebhookconfigurations], resourceNames: [{{ include "paceline.name" . }}], verbs: [get, patch]}
{{- end }}
{{- end }}

{{- /* The pod of a job that runs one command once. Give "root", "container", "args" and
"resources"; "priorityClassName" where it has one. It goes where a service's pod has brought the image already. */}}
{{- define "paceline.jobPod" -}}
{{- $root := .root -}}
restartPolicy: Never
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext: {{- include "paceline.podSecurity" $root | nindent 2 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{- include "paceline.texts" . | nindent 2 }}
{{- end }}
# Any node will do, a fenced one included; best one that has the image: a pull costs a young node's disk.
tolerations:
  - {operator: Exists}
affinity:
  podAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "paceline.selector" (dict "root" $root "component" "serve") | nindent 14 }}
containers:
  - name: {{ .container }}
    image: {{ include "paceline.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      {{- range .args }}
      - {{ . }}
      {{- end }}
    env:
      - {name: PACELINE_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
    resources: {{- toYaml .resources | nindent 6 }}
    securityContext: {{- include "paceline.containerSecurity" $root | nindent 6 }}
{{- end }}

{{- /* Puts an admission policy in force. Give "root", "name" and "action". */}}
{{- define "paceline.policyBinding" }}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels: {{- include "paceline.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [{{ .action }}]
{{- end }}

{{- define "paceline.annotationVariables" -}}
- {name: annotations, expression: "object.metadata.?annotations.orValue({})"}
- {name: annotationsBefore, expression: "oldObject.metadata.?annotations.orValue({})"}
{{- end }}

{{- define "paceline.metadataValidations" -}}
- expression: >-
    variables.annotations.all(name, name.startsWith('paceline.dev/') ||
    (name in variables.annotationsBefore && variables.annotationsBefore[name] == variables.annotations[name])) &&
    variables.annotationsBefore.all(name, name.startsWith('paceline.dev/') || name in variables.annotations)
  message: Paceline changes its own annotations only; if another webhook did, set admissionPolicies.accounts=Audit
- expression: >-
    object.metadata.?labels == oldObject.metadata.?labels &&
    object.metadata.?finalizers == oldObject.metadata.?finalizers &&
    object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences
  message: Paceline changes no labels, finalizers or owners; if another webhook did, set admissionPolicies.accounts=Audit
{{- end }}

{{- /* A label selector as CEL over variables.namespaceLabels. */}}
{{- define "paceline.selects" -}}
{{- $labels := "variables.namespaceLabels" -}}
{{- $terms := list -}}
{{- range $key, $value := .matchLabels | default dict }}
{{- $terms = append $terms (printf "(%s in %s && %s[%s] == %s)" (toJson $key) $labels $labels (toJson $key) (toJson (toString $value))) }}
{{- end }}
{{- range .matchExpressions | default list }}
{{- $has := printf "%s in %s" (toJson .key) $labels }}
{{- if eq .operator "Exists" }}{{ $terms = append $terms $has }}
{{- else if eq .operator "DoesNotExist" }}{{ $terms = append $terms (printf "!(%s)" $has) }}
{{- else }}
{{- $isOne := printf "%s && %s[%s] in %s" $has $labels (toJson .key) (toJson .values) }}
{{- $terms = append $terms (ternary (printf "(%s)" $isOne) (printf "!(%s)" $isOne) (eq .operator "In")) }}
{{- end }}
{{- end }}
{{- join " && " $terms | default "true" }}
{{- end }}

{{- define "paceline.policyText" -}}
apiVersion: paceline.dev/v1alpha1
kind: PacingPolicy
# Start with mode observe: it changes nothing and counts what it would have held (paceline_observed_holds_total).
schedulerNames: {{ include "paceline.chosenSchedulers" . }}
{{ toYaml (omit .Values.policy "schedulerNames") }}
{{- end }}

{{- /* The schedulers whose pods are paced, by the values, as JSON: those named, or else the cluster's own; and our second one. */}}
{{- define "paceline.chosenSchedulers" -}}
{{- $names := .Values.policy.schedulerNames | default (list "default-scheduler") }}
{{- append $names .Values.secondScheduler.schedulerName | uniq | toJson }}
{{- end }}

{{- /* The live policy where its text is not the installer's, as JSON: its "text", and "by" whom. Otherwise {}. The
annotation has the sum of the text that the values gave last, whatever the installer's program is called. */}}
{{- define "paceline.policyEdit" -}}
{{- $edit := dict }}
{{- with lookup "v1" "ConfigMap" .Release.Namespace "paceline-policy" }}
{{- $text := get (.data | default dict) "policy.yaml" | default "" }}
{{- $writers := list }}
{{- $installers := list "helm" }}
{{- range .metadata.managedFields }}
{{- /* A manager is named after its program: helm, helm-controller, terraform-provider-helm; fleetagent. */}}
{{- $name := contains "helm" (.manager | default "") | ternary "helm" .manager }}
{{- $fields := .fieldsV1 | default dict }}
{{- if hasKey (dig "f:data" dict $fields) "f:policy.yaml" }}{{ $writers = append $writers $name }}{{ end }}
{{- if hasKey (dig "f:metadata" "f:annotations" dict $fields) "f:paceline.dev/policy-sum" }}{{ $installers = append $installers $name }}{{ end }}
{{- end }}
{{- $others := $writers }}
{{- range $installers }}{{ $others = without $others . }}{{ end }}
{{- /* Charts before this annotation knew Helm by its name only. */}}
{{- $sum := dig "annotations" "paceline.dev/policy-sum" "" .metadata }}
{{- if ternary (ne $sum ($text | trim | sha256sum)) (gt (len $others) 0) (ne $sum "") }}
{{- $edit = dict "text" $text "by" ($others | default $writers | uniq | join ", ") }}
{{- end }}
{{- end }}
{{- toJson $edit }}
{{- end }}

{{- /* The policy that is in force after this install or upgrade, as JSON: an edit that is kept, or the value. */}}
{{- define "paceline.policy" -}}
{{- $policy := merge (dict "schedulerNames" (include "paceline.chosenSchedulers" . | fromJsonArray)) .Values.policy }}
{{- $edit := include "paceline.policyEdit" . | fromJson }}
{{- if and $edit (eq .Values.policyEdits "keep") }}
{{- $kept := get $edit "text" | fromYaml }}
{{- /* The service refuses what cannot be read, and goes on with the policy that it has. */}}
{{- if not (hasKey $kept "Error") }}
{{- $policy = merge $kept (dict "schedulerNames" (list "default-scheduler" "paced")) }}
{{- end }}
{{- end }}
{{- toJson $policy }}
{{- end }}

{{- /* The schedulers of the policy in force, as JSON. */}}
{{- define "paceline.schedulerNames" -}}
{{- get (include "paceline.policy" . | fromJson) "schedulerNames" | toJson }}
{{- end }}
