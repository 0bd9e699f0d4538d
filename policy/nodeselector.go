package policy

// term is one key of a node selector.
type term struct{ key, value string }

// addNodeSelector adds the selector's terms. A key that the pod or another
// policy gives another value is a conflict: both cannot be met.
func (p *plan) addNodeSelector(c *compiled) {
	have := p.req.Pod.Spec.NodeSelector
	for _, t := range c.nodeSelector {
		key, want := t.key, t.value
		other, before := p.nodeSelector[key]
		value, inPod := have[key]
		switch {
		case inPod && value != want:
			p.refuse(c, "take it out of the runner's configuration (node_selector) or the job's variables (KUBERNETES_NODE_SELECTOR_*), or change the policy",
				"node selector %s: the policy wants %q and the pod comes with %q", key, want, value)
		case inPod:
		case before && other.value != want:
			p.refuse(c, "make them equal, or let only one of the two policies match",
				"node selector %s: the policy wants %q and %s wants %q", key, want, other.policy, other.value)
		case !before:
			p.nodeSelector[key] = planned{want, c.origin}
			p.add(c, "/spec/nodeSelector", key, levels(have == nil), want)
		}
	}
}

func validateNodeSelector(selector map[string]string, r *report) {
	for key, value := range sorted(selector) {
		validateLabel("inject.nodeSelector["+key+"]", key, value, r)
	}
}
