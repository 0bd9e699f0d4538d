package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"quartermaster.dev/cmd/internal/certs"
)

const (
	// resync is how often everything is looked at though nothing seems to have
	// changed: a watch may be lost without a sign.
	resync = time.Minute
	// maxWrites is how many writes may follow upon each other. A rotation takes a
	// handful; more means that somebody undoes them.
	maxWrites = 20
)

// The kinds of object, as they are named in errors and by the metrics.
const (
	kindSecret     = "secret"
	kindDeployment = "deployment"
	kindMutating   = "mutatingwebhookconfiguration"
	kindValidating = "validatingwebhookconfiguration"
)

// A keeper keeps the Secret and the caBundles as package certs decides. It reads
// everything anew before each write, and writes only onto what it has read.
type keeper struct {
	namespace, secret, owner string
	configurations           configurationNames

	config  certs.Config
	client  kubernetes.Interface
	log     *slog.Logger
	metrics *keeperMetrics
	wake    chan struct{} // something has changed

	nextTrusted, currentInPlace stopwatch
	told                        map[string]string // what the log was last told of an object

	outcome atomic.Pointer[error] // of the last look
}

func newKeeper(o *options, client kubernetes.Interface, log *slog.Logger) *keeper {
	k := &keeper{
		namespace: o.namespace, secret: o.secret, owner: o.owner, configurations: o.configurations,
		config: o.certificates(), client: client, log: log, metrics: newKeeperMetrics(),
		wake: make(chan struct{}, 1), told: map[string]string{},
	}
	k.outcome.Store(new(errors.New("nothing was looked at yet")))
	return k
}

// check fails unless the last look has found or put everything in order. It is a
// healthz.Checker.
func (k *keeper) check(*http.Request) error { return *k.outcome.Load() }

// run keeps everything in order until ctx ends.
func (k *keeper) run(ctx context.Context) error {
	backoff := newBackoff()
	for {
		pause, err := k.settle(ctx)
		if ctx.Err() != nil {
			return nil
		}
		k.outcome.Store(&err)
		if err != nil {
			pause = backoff.Step()
			k.log.Error("not in order: will try again", "error", err, "in", pause.String())
		} else {
			backoff = newBackoff()
			k.metrics.success.SetToCurrentTime()
			k.log.Debug("in order", "lookingAgainIn", pause.String())
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.2, Steps: 10, Cap: resync}
}

// settle writes until there is nothing to write, and returns when to look again.
func (k *keeper) settle(ctx context.Context) (time.Duration, error) {
	for range maxWrites {
		seen, err := k.look(ctx)
		if err != nil {
			return 0, err
		}
		now := time.Now()
		state := k.timed(now, seen)
		plan := k.config.Plan(now, state)
		if plan.Action == certs.Wait && !seen.orphaned() {
			return min(plan.Wait, resync), nil
		}
		if err := k.act(ctx, now, seen, state, plan); err != nil && !errors.Is(err, errChanged) {
			return 0, err
		}
	}
	return 0, fmt.Errorf("still not in order after %d writes: does somebody else write the Secret %q or the caBundles?", maxWrites, k.secret)
}

// seen is what one look has found.
type seen struct {
	owner          *metav1.OwnerReference // nil when none is wanted
	configurations []configuration
	secret         *corev1.Secret // nil when there is none
	certs.Secret
}

// look reads everything: the configurations before the Secret, see certs.State, and
// the owner after it: where the Secret is gone because its owner is, that is seen.
func (k *keeper) look(ctx context.Context) (*seen, error) {
	configurations, err := k.readConfigurations(ctx)
	if err != nil {
		return nil, err
	}
	found := &seen{configurations: configurations}
	secret, err := k.client.CoreV1().Secrets(k.namespace).Get(ctx, k.secret, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return nil, k.failed(kindSecret, k.secret, err)
	default:
		var problems []error
		found.secret = secret
		found.Secret, problems = certs.ReadSecret(secret.Data)
		k.tell(kindSecret, joined(problems))
	}
	if found.owner, err = k.ownerReference(ctx); err != nil {
		return nil, err
	}
	expiry := 0.0
	if found.Current != nil {
		expiry = float64(found.Current.NotAfter().Unix())
	}
	k.metrics.expiry.Set(expiry)
	return found, nil
}

// timed adds to what was seen for how long it has been so.
func (k *keeper) timed(now time.Time, found *seen) *certs.State {
	state := &certs.State{Secret: found.Secret}
	for i := range found.configurations {
		state.Bundles = append(state.Bundles, found.configurations[i].bundles()...)
	}
	trusted, inPlace := "", ""
	if state.TrustsNext() {
		trusted = state.Next.String()
	}
	if state.Current != nil {
		inPlace = state.Current.String()
	}
	state.NextTrusted = k.nextTrusted.read(now, trusted)
	state.CurrentInPlace = k.currentInPlace.read(now, inPlace)
	return state
}

// act does what the plan says.
func (k *keeper) act(ctx context.Context, now time.Time, found *seen, state *certs.State, plan certs.Plan) error {
	var data map[string][]byte
	if found.secret != nil {
		data = found.secret.Data
	}
	switch plan.Action {
	case certs.Trust:
		return k.trust(ctx, found.configurations, plan.Trusted)
	case certs.Issue:
		issued, err := k.config.Issued(now, state, data)
		if err != nil {
			return fmt.Errorf("no certificate could be made: %w", err)
		}
		return k.write(ctx, found, issued, "issued a certificate, to be served when it is trusted")
	case certs.Promote:
		err := k.write(ctx, found, k.config.Promoted(now, state, data), "the new certificate is the one to serve")
		if err == nil {
			k.metrics.rotations.Inc()
		}
		return err
	case certs.Forget:
		return k.write(ctx, found, certs.Forgotten(data), "earlier certificates are trusted no longer")
	default:
		return k.write(ctx, found, data, "made the Secret the Deployment's")
	}
}

// write creates or updates the Secret.
func (k *keeper) write(ctx context.Context, found *seen, data map[string][]byte, what string) error {
	secrets := k.client.CoreV1().Secrets(k.namespace)
	var err error
	if found.secret == nil {
		_, err = secrets.Create(ctx, k.newSecret(found.owner, data), metav1.CreateOptions{FieldManager: fieldManager})
		if apierrors.IsNotFound(err) {
			err = fmt.Errorf("there is no namespace %q", k.namespace)
		}
	} else {
		// With the resource version that was read: nothing that was written since is lost.
		secret := found.secret.DeepCopy()
		secret.Data = data
		secret.OwnerReferences = found.owners()
		_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: fieldManager})
	}
	if err != nil {
		return k.failed(kindSecret, k.secret, err)
	}
	written, _ := certs.ReadSecret(data)
	k.log.Info(what, "secret", k.secret, "current", written.Current, "next", written.Next)
	return nil
}

// fieldManager is who owns the fields that this process writes.
const fieldManager = "quartermaster-certs"

func (k *keeper) newSecret(owner *metav1.OwnerReference, data map[string][]byte) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: k.namespace,
			Name:      k.secret,
			Labels:    map[string]string{"app.kubernetes.io/managed-by": fieldManager},
		},
		// Not kubernetes.io/tls, which asks for a tls.crt even while there is none to serve.
		Type: corev1.SecretTypeOpaque,
		Data: data,
	}
	if owner != nil {
		secret.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	return secret
}

// errChanged says that an object has changed since it was read: somebody else
// was faster. The next look shows how.
var errChanged = errors.New("has changed since it was read")

// failed counts an error and says which object it is about.
func (k *keeper) failed(kind, name string, err error) error {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		k.log.Debug("changed by somebody else: looking again", "object", kind+"/"+name, "error", err)
		return errChanged
	}
	k.metrics.errors.WithLabelValues(kind).Inc()
	return fmt.Errorf("%s %q: %w", kind, name, err)
}

// tell warns of something about an object, once until it changes.
func (k *keeper) tell(object, text string) {
	if k.told[object] != text && text != "" {
		k.log.Warn(text, "object", object)
	}
	k.told[object] = text
}

// joined is the texts of errors in one line.
func joined(errs []error) string {
	text := ""
	for _, err := range errs {
		if text != "" {
			text += "; "
		}
		text += err.Error()
	}
	return text
}

// A stopwatch tells for how long something has been the same, by the clock that
// nobody sets: time.Now carries it along.
type stopwatch struct {
	of    string
	since time.Time
}

// read is the time since it was first called with of, which is "" for nothing.
func (s *stopwatch) read(now time.Time, of string) time.Duration {
	if s.of != of {
		*s = stopwatch{of, now}
	}
	if of == "" {
		return 0
	}
	return now.Sub(s.since)
}
