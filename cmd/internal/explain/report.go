package explain

import "quartermaster.dev/policy"

// Report is the answer. Its JSON is the output of `explain -o json`: fields
// and words may be added to it, and none changes its meaning or goes.
type Report struct {
	// Verdict in a word.
	Verdict Verdict `json:"verdict"`
	// Summary is the verdict in a sentence.
	Summary string `json:"summary"`
	// Hint says what to do, where there is something to do.
	Hint string `json:"hint,omitempty"`
	// OK tells whether the pod is created and handed all that its policies say,
	// which may be nothing. It is the exit code.
	OK bool `json:"ok"`
	// Refusal is what the job log says where the policies refuse the pod.
	Refusal string `json:"refusal,omitempty"`
	// Pod is what was asked about.
	Pod Pod `json:"pod"`
	// Stamp is the annotation that the pod is given.
	Stamp string `json:"stamp,omitempty"`
	// Webhooks are those registered; absent where no cluster was asked.
	Webhooks []Webhook `json:"webhooks,omitempty"`
	// Notes are about no policy in particular.
	Notes []Remark `json:"notes,omitempty"`
	// Policies of the namespace and cluster-wide ones, in the order in which they apply.
	Policies []Policy `json:"policies"`
	// Broken are the ConfigMaps that refuse all jobs of the namespace.
	Broken []Broken `json:"broken,omitempty"`
}

// Verdict is what becomes of the pod.
type Verdict string

// The verdicts. The first four are those of a [policy.Decision].
const (
	Untouched = Verdict(policy.Untouched)
	Audited   = Verdict(policy.Audited)
	Equipped  = Verdict(policy.Equipped)
	Refused   = Verdict(policy.Refused)
	// NotAsked pods are created as they came: the API server asks nobody.
	NotAsked Verdict = "not-asked"
	// Unreachable means that the API server asks and gets no answer.
	Unreachable Verdict = "unreachable"
	// Stuck pods are equipped, and wait for a Secret that is not there.
	Stuck Verdict = "stuck"
)

// Pod is the pod that is explained.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name,omitempty"`
	// Kind of the pod, as "job" or "pause".
	Kind policy.Kind `json:"kind"`
	// User is who creates it, or empty where that is not known.
	User string `json:"user,omitempty"`
}

// Remark is something worth knowing, and what to do about it.
type Remark struct {
	// Severity is error, warning or note.
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

// Policy is what one policy does about the pod.
type Policy struct {
	// Name in messages: "dev/runner-jobs policy.yaml deploy".
	Name string `json:"name"`
	// Source is the ConfigMap with the hash of its data, as in the stamp.
	Source string `json:"source"`
	State  State  `json:"state"`
	// Mismatches are the conditions that do not hold.
	Mismatches []Mismatch `json:"mismatches,omitempty"`
	// Adds is what the pod is given; in the states audit and would-apply, what it
	// would be given.
	Adds []Addition `json:"adds,omitempty"`
	// Has is what the policy says and the pod came with.
	Has []Addition `json:"has,omitempty"`
	// Notes are what was kept, withheld or refused.
	Notes []Remark `json:"notes,omitempty"`
	// Secrets that the pod would wait for; absent where no cluster was asked.
	Secrets []Secret `json:"secrets,omitempty"`
}

// State is what a policy does about the pod, in a word.
type State string

// The states of a policy.
const (
	// Applies: the pod gets what the policy says.
	Applies State = "applies"
	// NoMatch: a condition of the policy does not hold.
	NoMatch State = "no-match"
	// Audit: it matches and is in mode Audit, so it changes nothing.
	Audit State = "audit"
	// Refuses: it matches, and what it says cannot be.
	Refuses State = "refuses"
	// Withheld: it matches, and a pod of this kind is handed nothing of it.
	Withheld State = "withheld"
	// HeldBack: it matches, and the pod is refused for another reason.
	HeldBack State = "held-back"
	// WouldApply and WouldRefuse: so it would be if the API server asked.
	WouldApply  State = "would-apply"
	WouldRefuse State = "would-refuse"
)

// Mismatch is a condition that does not hold.
type Mismatch struct {
	// Condition is the field, as "match.projectIDs".
	Condition string `json:"condition"`
	// Wants is what the policy asks for, Got what the pod has.
	Wants string `json:"wants"`
	Got   string `json:"got"`
}

// Addition is one thing that a policy says.
type Addition struct {
	// What it is, in words.
	What string `json:"what"`
	// Path is the field of the pod, as a JSON pointer. It ends in a dash for what
	// is appended to a list.
	Path string `json:"path"`
}

// Secret is one that a policy names.
type Secret struct {
	Name string `json:"name"`
	// Keys that it must hold; none where any will do.
	Keys     []string `json:"keys,omitempty"`
	Optional bool     `json:"optional,omitempty"`
	// Status is present, incomplete, missing or unchecked.
	Status string `json:"status"`
	// MissingKeys are those of Keys that a Secret does not hold.
	MissingKeys []string `json:"missingKeys,omitempty"`
	Remark      *Remark  `json:"remark,omitempty"`
}

// The status of a Secret.
const (
	present    = "present"
	incomplete = "incomplete" // it is there, and lacks keys
	missing    = "missing"
	unchecked  = "unchecked"
)

// Broken is a ConfigMap that is broken.
type Broken struct {
	// Source is its name, as "dev/runner-jobs".
	Source   string   `json:"source"`
	Problems []Remark `json:"problems"`
}

// remarkOf is a problem without the name of its document.
func remarkOf(p policy.Problem) Remark {
	message := p.Message
	if p.Path != "" {
		message = p.Path + ": " + message
	}
	return Remark{p.Severity.String(), message, p.Hint}
}

func errorRemark(hint, message string) Remark { return Remark{policy.Error.String(), message, hint} }
func warning(hint, message string) Remark     { return Remark{policy.Warning.String(), message, hint} }
func note(hint, message string) Remark        { return Remark{policy.Note.String(), message, hint} }
