package explain

import (
	"fmt"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// SecretState is what was seen of a Secret: never a value.
type SecretState struct {
	// Exists and its Keys, as far as they were asked for.
	Exists bool
	Keys   []string
	// Unchecked is why nothing was seen; then Exists means nothing.
	Unchecked string
}

// Needs are the Secrets that policies which match name: those worth a look, each
// with all keys that are asked of it.
func Needs(in *Input) []policy.SecretUse {
	e := &explainer{Input: in, decision: policy.Decide(in.Request, in.Set)}
	var needs []policy.SecretUse
	for _, v := range e.decision.Verdicts {
		if !e.handsOut(v) {
			continue
		}
		for _, use := range in.Set.Secrets(v.Policy) {
			i := slices.IndexFunc(needs, func(n policy.SecretUse) bool { return n.Name == use.Name })
			if i < 0 {
				needs = append(needs, use)
				continue
			}
			needs[i].Keys = append(slices.Clone(needs[i].Keys), use.Keys...)
		}
	}
	return needs
}

// secrets holds what a policy names against what was seen.
func (e *explainer) secrets(name string) []Secret {
	if e.Secrets == nil {
		return nil
	}
	var secrets []Secret
	for _, use := range e.Set.Secrets(name) {
		secrets = append(secrets, e.secret(&use))
	}
	return secrets
}

func (e *explainer) secret(use *policy.SecretUse) Secret {
	s := Secret{Name: use.Name, Keys: use.Keys, Optional: use.Optional, Status: present}
	state := e.Secrets[use.Name]
	complain := func(hint, format string, args ...any) {
		message := fmt.Sprintf(format, args...)
		r := errorRemark(hint, message+": the job would wait three minutes, say nothing, and fail")
		if use.Optional {
			r = note("", message+": it is optional, and the job starts without")
		}
		s.Remark = &r
	}
	switch {
	case state.Unchecked != "":
		s.Status = unchecked
		r := warning("", fmt.Sprintf("whether Secret %q is there could not be checked: %s", use.Name, state.Unchecked))
		s.Remark = &r
	case !state.Exists:
		s.Status = missing
		complain("create it, or name another in the policy", "there is no Secret %q in namespace %q", use.Name, e.Request.Namespace)
	default:
		for _, key := range use.Keys {
			if !slices.Contains(state.Keys, key) {
				s.MissingKeys = append(s.MissingKeys, key)
			}
		}
		if len(s.MissingKeys) > 0 {
			s.Status = incomplete
			complain("its keys are: "+listed(state.Keys), "Secret %q has no key %s", use.Name, listed(s.MissingKeys))
		}
	}
	return s
}

// lacking tells whether the job would wait for the Secret.
func (s *Secret) lacking() bool {
	return !s.Optional && (s.Status == missing || s.Status == incomplete)
}

// want is what the job would wait for.
func (s *Secret) want() string {
	if s.Status == incomplete {
		return fmt.Sprintf("%s of Secret %q", listed(s.MissingKeys), s.Name)
	}
	return fmt.Sprintf("Secret %q", s.Name)
}

// maxListed bounds a list of keys.
const maxListed = 8

func listed(keys []string) string {
	switch {
	case len(keys) == 0:
		return "none"
	case len(keys) > maxListed:
		return strings.Join(keys[:maxListed], ", ") + ", …"
	default:
		return strings.Join(keys, ", ")
	}
}
