package main

import (
	"fmt"

	"quartermaster.dev/cmd/internal/migrate"
)

// pod reads the pod of --verify. Its creator, if a review tells it, is that of
// the release.
func (o *migrateOptions) pod(s streams) (*podInput, error) {
	if o.verify == "" {
		return nil, nil
	}
	if o.verify == "-" && o.values+o.config == "-" {
		return nil, inputErrorf("give one of them as a file", "the pod and the configuration cannot both be read from stdin")
	}
	f, err := readOne(s, o.verify)
	if err != nil {
		return nil, err
	}
	pod, err := readPod(f)
	if err != nil {
		return nil, err
	}
	if pod.namespace == "" {
		pod.namespace = o.Namespace
	}
	o.Creator = pod.user
	return pod, nil
}

// prove prints what changes about a pod.
func (o *migrateOptions) prove(s streams, f file, result *migrate.Result, pod *podInput) error {
	if pod.namespace == "" {
		return inputErrorf("say which with --namespace", "the pod of --verify names no namespace, and policies are a namespace's")
	}
	proof, err := result.Verify(migrate.JobPod{
		Object: pod.object, Namespace: pod.namespace, User: pod.user, Groups: pod.groups, JobLabel: o.jobLabel,
	})
	if err != nil {
		return atFile(f, err)
	}
	for _, note := range proof.Notes {
		s.say("note", note)
	}
	switch {
	case proof.Refusal != "":
		s.say("refused", proof.Refusal)
		return errNegative
	case result.Policy == "":
		s.say("note", "nothing is to be moved, so nothing changes")
		return nil
	case len(proof.Unmatched) > 0:
		for _, why := range proof.Unmatched {
			s.say("note", why)
		}
		return errNegative
	}
	for _, line := range proof.Difference {
		fmt.Fprintln(s.out, line)
	}
	return nil
}
