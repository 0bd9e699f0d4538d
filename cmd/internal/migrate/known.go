package migrate

import "strings"

// knownKeys are the keys that GitLab Runner 19.4 reads, by the table that they
// stand in, from common/config.go. A key that ends in a slash is a table, or a
// list of tables, of its own here; the content of other tables is not checked.
var knownKeys = map[string]string{
	"runners": `url id token token_obtained_at token_expires_at tls-ca-file tls-cert-file tls-key-file
		name limit output_limit request_concurrency strict_check_interval unhealthy_requests_limit unhealthy_interval
		job_status_final_update_retry_limit experimental
		labels executor builds_dir cache_dir clone_url environment proxy_exec
		pre_get_sources_script post_get_sources_script pre_build_script post_build_script
		prepare_timeout get_sources_timeout debug_trace_disabled safe_directory_checkout clean_git_config
		shell custom_build_dir referees cache artifact feature_flags monitoring use_slot_cgroups slot_cgroup_template
		instance ssh docker parallels virtualbox machine kubernetes/ custom autoscaler step_runner_image`,
	"runners.kubernetes": `host context cert_file key_file ca_file bearer_token_overwrite_allowed bearer_token
		image namespace namespace_overwrite_allowed namespace_per_job privileged runtime_class_name allow_privilege_escalation
		pod_cpu_limit pod_cpu_limit_overwrite_max_allowed pod_cpu_request pod_cpu_request_overwrite_max_allowed
		pod_memory_limit pod_memory_limit_overwrite_max_allowed pod_memory_request pod_memory_request_overwrite_max_allowed
		allowed_images allowed_pull_policies allowed_services allowed_users allowed_groups pull_policy
		node_selector node_selector_overwrite_allowed node_tolerations node_tolerations_overwrite_allowed affinity
		image_pull_secrets use_service_account_image_pull_secrets
		helper_image helper_image_flavor helper_image_autoset_arch_and_os
		pod_termination_grace_period_seconds cleanup_grace_period_seconds cleanup_resources_timeout
		poll_interval poll_timeout resource_availability_check_max_attempts retry_limit retry_backoff_max retry_limits
		pod_labels pod_labels_overwrite_allowed scheduler_name
		service_account service_account_overwrite_allowed automount_service_account_token
		pod_annotations pod_annotations_overwrite_allowed
		pod_security_context/ init_permissions_container_security_context/ build_container_security_context/
		helper_container_security_context/ service_container_security_context/
		volumes/ host_aliases services cap_add cap_drop suspend_pvc_size suspend_pvc_storage_class
		dns_policy dns_config/ container_lifecycle priority_class_name pod_spec/
		logs_base_dir scripts_base_dir print_pod_warning_events pod_disruption_budget autoscaler`,
	"runners.kubernetes.volumes":            `host_path/ pvc/ config_map/ secret/ empty_dir/ csi/ nfs/`,
	"runners.kubernetes.volumes.host_path":  `name mount_path sub_path read_only host_path mount_propagation`,
	"runners.kubernetes.volumes.pvc":        `name mount_path sub_path read_only mount_propagation`,
	"runners.kubernetes.volumes.config_map": `name mount_path sub_path read_only items`,
	"runners.kubernetes.volumes.secret":     `name mount_path sub_path read_only items`,
	"runners.kubernetes.volumes.empty_dir":  `name mount_path sub_path medium size_limit mount_propagation`,
	"runners.kubernetes.volumes.csi":        `name mount_path sub_path driver fs_type read_only volume_attributes`,
	"runners.kubernetes.volumes.nfs":        `name mount_path sub_path server path read_only`,
	"runners.kubernetes.pod_spec":           `name patch_path patch patch_type`,
	"runners.kubernetes.dns_config":         `nameservers options searches`,
	"runners.kubernetes.pod_security_context": `fs_group run_as_group run_as_non_root run_as_user supplemental_groups
		selinux_type seccomp_profile app_armor_profile`,
}

// containerSecurity are the keys of the security context of a container.
const containerSecurity = `capabilities privileged run_as_user run_as_group run_as_non_root read_only_root_filesystem
	allow_privilege_escalation selinux_type proc_mount seccomp_profile app_armor_profile`

// insteadOf are keys that people write often and that nothing reads, with what
// to write instead.
var insteadOf = map[string]string{
	"runners.pre_clone_script":                      `write pre_get_sources_script`,
	"runners.post_clone_script":                     `write post_get_sources_script`,
	"runners.kubernetes.tolerations":                `write [runners.kubernetes.node_tolerations] with "key=value" = "Effect"`,
	"runners.kubernetes.nodeSelector":               `write [runners.kubernetes.node_selector] with "key" = "value"`,
	"runners.kubernetes.node_selectors":             `write [runners.kubernetes.node_selector] with "key" = "value"`,
	"runners.kubernetes.service_account_name":       `write service_account`,
	"runners.kubernetes.resources":                  `write cpu_request, memory_request, cpu_limit and memory_limit`,
	"runners.kubernetes.volumes.secret.secret_name": `write name`,
	"runners.kubernetes.volumes.secret.secretName":  `write name`,
	"runners.kubernetes.volumes.secret.mountPath":   `write mount_path`,
	"runners.kubernetes.volumes.secret.optional":    `take it out; a policy has optional: true`,
}

// keysOf are the keys of a table, and whether any are known.
func keysOf(table string) (keys []string, ok bool) {
	text, ok := knownKeys[table]
	switch {
	case table == "runners.kubernetes":
		for _, k := range resourceKeys {
			text += " " + k.toml + " " + k.toml + "_overwrite_max_allowed"
		}
	case strings.HasSuffix(table, "_container_security_context"):
		text, ok = containerSecurity, true
	}
	return strings.Fields(text), ok
}

// nearest is the known key that a mistyped one is most like, or empty.
func nearest(key string, known []string) string {
	best, least := "", 1+len(key)/4
	for _, k := range known {
		k = strings.TrimSuffix(k, "/")
		if d := distance(strings.ToLower(key), k); d <= least {
			best, least = k, d-1
		}
	}
	return best
}

// distance counts the letters to change, add or take out.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
