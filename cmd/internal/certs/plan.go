package certs

import (
	"crypto/x509"
	"slices"
	"time"
)

// settling is how long a pair must at least have been in place before others are
// trusted no more, whatever its age: age is told by the wall clock, which may
// jump, and servers need a minute or two to pick a pair up.
const settling = time.Hour

// Config is what does not change while the process runs.
type Config struct {
	// DNSNames are the names in which clients know the server.
	DNSNames []string
	// Duration is how long a certificate lasts, RenewBefore how long before its
	// end it is replaced.
	Duration, RenewBefore time.Duration
	// Overlap is how long a new authority is trusted before a certificate that it
	// signed is served.
	Overlap time.Duration
	// Retain is how long after the making of a pair the authorities of earlier
	// ones stay trusted.
	Retain time.Duration
}

// State is what there is.
type State struct {
	Secret
	// Bundles are the caBundles, of every webhook of every configuration there is.
	// They must have been read before the Secret: then an authority that another
	// process has put into a bundle is found in the Secret as well, and is not
	// taken for a leftover.
	Bundles [][]*x509.Certificate
	// NextTrusted is how long every bundle has been seen to hold the authority of Next.
	NextTrusted time.Duration
	// CurrentInPlace is how long Current has been seen to be the current pair.
	CurrentInPlace time.Duration
}

// An Action is the next write.
type Action int

// The actions.
const (
	// Wait: there is nothing to write.
	Wait Action = iota
	// Issue: write a new pair to the Secret as the next one.
	Issue
	// Trust: write Plan.Trusted to the bundles that differ.
	Trust
	// Promote: make the next pair of the Secret the current one.
	Promote
	// Forget: take the authorities of earlier pairs out of the Secret.
	Forget
)

// A Plan says what to do.
type Plan struct {
	Action Action
	// Trusted is what every bundle is to hold, in whatever order.
	Trusted []*x509.Certificate
	// Wait is how long there will be nothing to do, as far as one can see.
	Wait time.Duration
}

// Plan decides what to do next. After each write it must be asked anew, with
// what there is then.
func (c *Config) Plan(now time.Time, s *State) Plan {
	plan := Plan{Trusted: c.trusted(now, s)}
	switch {
	case s.Next == nil && !c.fit(now, s.Current), s.Next != nil && !c.fit(now, s.Next):
		plan.Action = Issue
	case c.settled(now, s) && len(s.Previous) > 0:
		plan.Action = Forget
	case !s.trust(plan.Trusted):
		plan.Action = Trust
	case s.Next != nil && (s.NextTrusted >= c.Overlap || !c.relied(now, s)):
		plan.Action = Promote
	case s.Next != nil:
		plan.Wait = c.Overlap - s.NextTrusted
	default:
		plan.Wait = s.Current.leaf.NotAfter.Add(-c.RenewBefore).Sub(now)
		if len(plan.Trusted) > 1 {
			plan.Wait = min(plan.Wait, c.untilSettled(now, s))
		}
	}
	return plan
}

// fit reports whether a pair is good for some time to come.
func (c *Config) fit(now time.Time, p *Pair) bool {
	return p.valid(now) && now.Before(p.leaf.NotAfter.Add(-c.RenewBefore)) && p.serves(c.DNSNames)
}

// relied reports whether some server may be serving a pair, other than the next
// one, that an API server accepts. If not, as after an installation or an expiry,
// there is nothing to wait for.
func (c *Config) relied(now time.Time, s *State) bool {
	if s.Current != nil {
		return s.Current.valid(now)
	}
	return slices.ContainsFunc(c.retained(now, s), func(authority *x509.Certificate) bool { return !now.After(authority.NotAfter) })
}

// trusted are the authorities that every bundle is to hold.
func (c *Config) trusted(now time.Time, s *State) []*x509.Certificate {
	var trusted []*x509.Certificate
	for _, pair := range []*Pair{s.Current, s.Next} {
		if pair != nil {
			trusted = join(trusted, pair.Authority)
		}
	}
	return join(trusted, c.retained(now, s)...)
}

// retained are the authorities whose pairs some server may still be serving: one
// that has not picked up the current pair yet, or whose Secret was deleted. One
// that has expired is no exception at once: that is told by this clock, which
// may be ahead of the API server's, and to trust it harms nobody.
func (c *Config) retained(now time.Time, s *State) []*x509.Certificate {
	if c.settled(now, s) {
		return nil
	}
	known := slices.Clone(s.Previous)
	for _, bundle := range s.Bundles {
		known = join(known, bundle...)
	}
	return slices.DeleteFunc(known, func(authority *x509.Certificate) bool {
		return s.Current.signedBy(authority) || s.Next.signedBy(authority) || now.After(authority.NotAfter.Add(c.Retain))
	})
}

// settled reports whether the current pair has been in place for so long that
// every server serves it, and no other authority need be trusted.
func (c *Config) settled(now time.Time, s *State) bool {
	return s.Current.valid(now) && c.untilSettled(now, s) <= 0
}

func (c *Config) untilSettled(now time.Time, s *State) time.Duration {
	return max(c.Retain-now.Sub(s.Current.issued()), min(settling, c.Retain)-s.CurrentInPlace)
}

// trust reports whether every bundle holds these authorities and no others.
func (s *State) trust(authorities []*x509.Certificate) bool {
	for _, bundle := range s.Bundles {
		if !SameBundle(bundle, authorities) {
			return false
		}
	}
	return true
}

// TrustsNext reports whether every bundle holds the authority of the next pair.
func (s *State) TrustsNext() bool {
	if s.Next == nil {
		return false
	}
	for _, bundle := range s.Bundles {
		if !holds(bundle, s.Next.Authority) {
			return false
		}
	}
	return true
}

// SameBundle reports whether two bundles hold the same, in whatever order.
func SameBundle(a, b []*x509.Certificate) bool {
	for _, certificate := range a {
		if !holds(b, certificate) {
			return false
		}
	}
	return len(a) == len(b)
}
