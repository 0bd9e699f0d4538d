package explain

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// failure is a requirement of a selector that labels do not meet.
type failure struct {
	key       string
	want, got string
}

// failures holds labels against a selector. A selector that is absent wants nothing.
func failures(s *metav1.LabelSelector, have map[string]string) ([]failure, error) {
	if empty(s) {
		return nil, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return nil, err
	}
	requirements, _ := selector.Requirements()
	var failed []failure
	for _, r := range requirements {
		if r.Matches(labels.Set(have)) {
			continue
		}
		f := failure{key: r.Key(), want: r.String(), got: "has no label " + r.Key()}
		if value, ok := have[r.Key()]; ok {
			f.got = "has the label " + r.Key() + "=" + value
		}
		switch r.Operator() {
		case selection.Exists:
			f.want = "it"
		case selection.DoesNotExist:
			f.want = "none"
		}
		failed = append(failed, f)
	}
	return failed, nil
}

func empty(s *metav1.LabelSelector) bool {
	return s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0
}

// hint says what to do about the failure.
func (f *failure) hint(who string) string {
	switch f.key {
	case optOut:
		return "the namespace is opted out; to opt it in again: kubectl label " + strings.ReplaceAll(who, `"`, "") + " " + optOut + "-"
	case corev1.LabelMetadataName:
		return "job pods are equipped in other namespaces than the system's"
	default:
		return ""
	}
}
