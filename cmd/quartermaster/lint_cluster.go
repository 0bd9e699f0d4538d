package main

import (
	"context"
	"encoding/json"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/cmd/internal/explain"
)

// inCluster are the policies in force, each ConfigMap as a file of its name.
func (o *lintOptions) inCluster(ctx context.Context, s streams, systemGiven bool) (*policies, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	cluster, namespace, err := o.cluster.connect(o.namespace)
	if err != nil {
		return nil, err
	}
	if !systemGiven {
		system, err := cluster.SystemNamespace(ctx)
		if err != nil {
			return nil, readable(err)
		}
		if system != "" {
			o.system = system
		}
	}
	if o.allNamespaces {
		namespace = ""
	}
	labelled, err := cluster.Labelled(ctx, namespace)
	if err != nil {
		return nil, readable(err)
	}
	p := &policies{}
	if err := p.add(o.origin, labelled, false); err != nil {
		return nil, err
	}
	if namespace == "" || namespace == o.system {
		return p, nil
	}
	// Guardrails bound the namespace, and its policies meet cluster-wide ones.
	system, err := cluster.Labelled(ctx, o.system)
	var read *explain.ReadError
	switch {
	case errors.As(err, &read) && read.Forbidden():
		s.say("warning", "guardrails and cluster-wide policies are left out of this answer: "+err.Error())
		return p, nil
	case err != nil:
		return nil, readable(err)
	}
	return p, p.add(o.origin, system, true)
}

// add reads ConfigMaps of a cluster with the words that files are read with.
func (p *policies) add(o origin, configMaps []corev1.ConfigMap, silent bool) error {
	for i := range configMaps {
		cm := &configMaps[i]
		cm.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"} // which a list leaves out
		data, err := json.Marshal(cm)
		if err != nil {
			return err
		}
		name := cm.Namespace + "/" + cm.Name
		// Without the data, for lines of it would be lines of no file.
		p.files = append(p.files, policyFile{file: file{name: name}, Manifest: o.read(name, data), silent: silent})
	}
	return nil
}
