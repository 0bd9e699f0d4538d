package certs

import (
	"crypto/x509"
	"testing"
	"time"
)

const day = 24 * time.Hour

var config = Config{
	DNSNames:    []string{"quartermaster.system.svc", "quartermaster"},
	Duration:    90 * day,
	RenewBefore: 30 * day,
	Overlap:     time.Minute,
	Retain:      day,
}

// bundle is one caBundle that holds the authorities of these pairs.
func bundle(pairs ...*Pair) []*x509.Certificate {
	var authorities []*x509.Certificate
	for _, pair := range pairs {
		authorities = append(authorities, pair.Authority)
	}
	return authorities
}

func bundles(bundles ...[]*x509.Certificate) [][]*x509.Certificate { return bundles }

func TestPlan(t *testing.T) {
	t.Parallel()
	names := config.DNSNames
	old, young := newPair(t, start.Add(-61*day), config.Duration, names...), newPair(t, start, config.Duration, names...)
	older, renamed := newPair(t, start.Add(-80*day), config.Duration, names...), newPair(t, start, config.Duration, "other.system.svc")
	expired, future := newPair(t, start.Add(-92*day), config.Duration, names...), newPair(t, start.Add(26*time.Hour), config.Duration, names...)
	settled, ending := newPair(t, start.Add(-2*day), config.Duration, names...), newPair(t, start.Add(-90*day-time.Hour), config.Duration, names...)

	for name, test := range map[string]struct {
		state State
		want  Action
		trust []*x509.Certificate // what is to be trusted, where that is said
		wait  time.Duration
	}{
		"there is nothing": {State{Bundles: bundles(nil)}, Issue, nil, 0},
		"the Secret was deleted": {
			State{Bundles: bundles(bundle(settled))}, Issue, nil, 0},

		"a first certificate is trusted before it is served": {
			State{Secret: Secret{Next: young}, Bundles: bundles(nil, nil)}, Trust, bundle(young), 0},
		"a first certificate is served as soon as it is trusted": {
			State{Secret: Secret{Next: young}, Bundles: bundles(bundle(young), bundle(young))}, Promote, nil, 0},
		"a first certificate does not wait for a configuration that is not there": {
			State{Secret: Secret{Next: young}}, Promote, nil, 0},

		"after a deletion servers go on serving what was trusted": {
			State{Secret: Secret{Next: young}, Bundles: bundles(bundle(settled))}, Trust, bundle(young, settled), 0},
		"after a deletion the overlap is waited for": {
			State{Secret: Secret{Next: young}, Bundles: bundles(bundle(settled, young)), NextTrusted: 20 * time.Second}, Wait, nil, 40 * time.Second},
		"after a deletion and the overlap the new one is served": {
			State{Secret: Secret{Next: young}, Bundles: bundles(bundle(settled, young)), NextTrusted: time.Minute}, Promote, nil, 0},
		"after a deletion what the Secret remembers is relied on too": {
			State{Secret: Secret{Next: young, Previous: bundle(settled)}, Bundles: bundles(bundle(young, settled))}, Wait, nil, time.Minute},

		"all is well": {
			State{Secret: Secret{Current: settled}, Bundles: bundles(bundle(settled)), CurrentInPlace: time.Hour}, Wait, bundle(settled), 58 * day},
		"a bundle is empty": {
			State{Secret: Secret{Current: settled}, Bundles: bundles(bundle(settled), nil), CurrentInPlace: time.Hour}, Trust, bundle(settled), 0},
		"a bundle was overwritten": {
			State{Secret: Secret{Current: settled}, Bundles: bundles(bundle(renamed)), CurrentInPlace: time.Hour}, Trust, bundle(settled), 0},
		"a bundle that holds more is none of ours": {
			State{Secret: Secret{Current: settled}, Bundles: bundles(bundle(settled, renamed)), CurrentInPlace: time.Hour}, Trust, bundle(settled), 0},

		"a certificate is due": {
			State{Secret: Secret{Current: old}, Bundles: bundles(bundle(old)), CurrentInPlace: time.Hour}, Issue, nil, 0},
		"a certificate is for other names": {
			State{Secret: Secret{Current: renamed}, Bundles: bundles(bundle(renamed))}, Issue, nil, 0},
		"a certificate has expired": {
			State{Secret: Secret{Current: expired}, Bundles: bundles(bundle(expired))}, Issue, nil, 0},
		"a certificate is of the future": {
			State{Secret: Secret{Current: future}, Bundles: bundles(bundle(future))}, Issue, nil, 0},

		"the next authority joins each bundle": {
			State{Secret: Secret{Current: old, Next: young}, Bundles: bundles(bundle(old), bundle(young, old)), CurrentInPlace: time.Hour}, Trust, bundle(old, young), 0},
		"the overlap is waited for": {
			State{Secret: Secret{Current: old, Next: young}, Bundles: bundles(bundle(old, young)), NextTrusted: 59 * time.Second, CurrentInPlace: time.Hour}, Wait, nil, time.Second},
		"the overlap is over": {
			State{Secret: Secret{Current: old, Next: young}, Bundles: bundles(bundle(old, young)), NextTrusted: time.Minute, CurrentInPlace: time.Hour}, Promote, nil, 0},
		"an expired certificate is worth no overlap, but trust comes first": {
			State{Secret: Secret{Current: expired, Next: young}, Bundles: bundles(bundle(expired))}, Trust, bundle(expired, young), 0},
		"an expired certificate is worth no overlap": {
			State{Secret: Secret{Current: expired, Next: young}, Bundles: bundles(bundle(expired, young))}, Promote, nil, 0},
		"the next one has become old": {
			State{Secret: Secret{Current: older, Next: old}, Bundles: bundles(bundle(older, old)), NextTrusted: time.Hour}, Issue, nil, 0},
		"the next one is for other names": {
			State{Secret: Secret{Current: settled, Next: renamed}, Bundles: bundles(bundle(settled, renamed)), NextTrusted: time.Hour}, Issue, nil, 0},

		"what was served before stays trusted": {
			State{Secret: Secret{Current: young, Previous: bundle(old)}, Bundles: bundles(bundle(young, old)), CurrentInPlace: time.Second}, Wait, bundle(young, old), day},
		"what was served before is put back into a bundle": {
			State{Secret: Secret{Current: young, Previous: bundle(old)}, Bundles: bundles(nil)}, Trust, bundle(young, old), 0},
		"what one bundle trusts, all do": {
			State{Secret: Secret{Current: young}, Bundles: bundles(bundle(young), bundle(young, old))}, Trust, bundle(young, old), 0},
		"what has just expired is trusted still, for clocks differ": {
			State{Secret: Secret{Current: young, Previous: bundle(ending)}, Bundles: bundles(bundle(young, ending)), CurrentInPlace: time.Second}, Wait, bundle(young, ending), day},
		"what has just expired is worth no overlap": {
			State{Secret: Secret{Next: young}, Bundles: bundles(bundle(ending, young))}, Promote, bundle(ending, young), 0},
		"what has expired is trusted no longer": {
			State{Secret: Secret{Current: young, Previous: bundle(expired)}, Bundles: bundles(bundle(young, expired))}, Trust, bundle(young), 0},
		"after a day the Secret forgets": {
			State{Secret: Secret{Current: settled, Previous: bundle(old)}, Bundles: bundles(bundle(settled, old)), CurrentInPlace: time.Hour}, Forget, nil, 0},
		"what the Secret has forgotten leaves the bundles": {
			State{Secret: Secret{Current: settled}, Bundles: bundles(bundle(settled, old)), CurrentInPlace: time.Hour}, Trust, bundle(settled), 0},
		"a jump of the clock does not count as a day": {
			State{Secret: Secret{Current: settled, Previous: bundle(old)}, Bundles: bundles(bundle(settled, old)), CurrentInPlace: time.Minute}, Wait, bundle(settled, old), 59 * time.Minute},
	} {
		before := test.state
		got := config.Plan(start, &test.state)
		if got.Action != test.want {
			t.Errorf("%s: action %d, want %d", name, got.Action, test.want)
		}
		if test.trust != nil && !SameBundle(got.Trusted, test.trust) {
			t.Errorf("%s: trusts %d authorities, want those of %d", name, len(got.Trusted), len(test.trust))
		}
		if got.Wait != test.wait {
			t.Errorf("%s: waits %s, want %s", name, got.Wait, test.wait)
		}
		if !SameBundle(before.Previous, test.state.Previous) {
			t.Errorf("%s: the state was changed", name)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	state := &State{}
	issued, err := config.Issued(start, state, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, problems := ReadSecret(issued)
	if first.Current != nil || first.Next == nil || len(first.Previous) > 0 || problems != nil {
		t.Fatalf("issued: %v, %v", first, problems)
	}
	issued["kept"] = []byte("somebody else's")
	promoted := config.Promoted(start, &State{Secret: first}, issued)
	second, problems := ReadSecret(promoted)
	if second.Next != nil || second.Current.String() != first.Next.String() || len(second.Previous) > 0 || problems != nil || string(promoted["kept"]) == "" {
		t.Fatalf("promoted: %v, %v", second, problems)
	}

	// A rotation, with an authority in a bundle that only the bundle knows.
	stray := newPair(t, start, config.Duration, config.DNSNames...)
	state = &State{Secret: second, Bundles: bundles(bundle(second.Current, stray))}
	issued, err = config.Issued(start, state, promoted)
	if err != nil {
		t.Fatal(err)
	}
	third, _ := ReadSecret(issued)
	if third.Current.String() != second.Current.String() || third.Next == nil || !SameBundle(third.Previous, bundle(stray)) {
		t.Fatalf("issued beside another: %v", third)
	}
	state = &State{Secret: third, Bundles: bundles(bundle(third.Current, third.Next, stray))}
	promoted = config.Promoted(start, state, issued)
	fourth, problems := ReadSecret(promoted)
	if fourth.Current.String() != third.Next.String() || fourth.Next != nil || !SameBundle(fourth.Previous, bundle(third.Current, stray)) || problems != nil {
		t.Fatalf("promoted over another: %v, %v", fourth, problems)
	}
	if fifth, _ := ReadSecret(Forgotten(promoted)); fifth.Current.String() != fourth.Current.String() || len(fifth.Previous) > 0 {
		t.Fatalf("forgotten: %v", fifth)
	}
	if len(ParseBundle(promoted[keyPreviousAuthorities])) != 2 {
		t.Error("forgetting has changed what was read")
	}

	promoted[keyPrivate] = issued[keyNextPrivate][:40]
	if broken, problems := ReadSecret(promoted); broken.Current != nil || len(problems) != 1 {
		t.Errorf("broken: %v, %v", broken, problems)
	}
}
