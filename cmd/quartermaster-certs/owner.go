package main

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ownerReference refers to the Deployment that runs this process, nil when none
// was named. One that is gone or going is an error: it is being uninstalled, and
// a Secret made now would only have to be removed again.
func (k *keeper) ownerReference(ctx context.Context) (*metav1.OwnerReference, error) {
	if k.owner == "" {
		return nil, nil
	}
	deployment, err := k.client.AppsV1().Deployments(k.namespace).Get(ctx, k.owner, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && deployment.DeletionTimestamp != nil {
		return nil, fmt.Errorf("%s %q, named by --owner, is not in namespace %q or is being deleted: nothing is written", kindDeployment, k.owner, k.namespace)
	}
	if err != nil {
		return nil, k.failed(kindDeployment, k.owner, err)
	}
	return &metav1.OwnerReference{
		APIVersion: appsv1.SchemeGroupVersion.String(),
		Kind:       "Deployment",
		Name:       deployment.Name,
		UID:        deployment.UID,
	}, nil
}

// orphaned reports whether the Secret lacks its owner: it may have been made by
// somebody else, or for an earlier Deployment of the name.
func (s *seen) orphaned() bool {
	return s.secret != nil && s.owner != nil && !slices.ContainsFunc(s.secret.OwnerReferences, s.isOwner)
}

// owners are the owners that the Secret is to have: others are left as they are.
func (s *seen) owners() []metav1.OwnerReference {
	owners := slices.Clone(s.secret.OwnerReferences)
	if !s.orphaned() {
		return owners
	}
	owners = slices.DeleteFunc(owners, func(o metav1.OwnerReference) bool {
		return o.Kind == s.owner.Kind && o.Name == s.owner.Name
	})
	return append(owners, *s.owner)
}

func (s *seen) isOwner(o metav1.OwnerReference) bool { return o.UID == s.owner.UID }
