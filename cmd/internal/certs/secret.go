package certs

import (
	"crypto/x509"
	"fmt"
	"maps"
	"time"
)

// The keys of the Secret. Servers mount the first two.
const (
	keyCertificate = "tls.crt"
	keyPrivate     = "tls.key"
	keyAuthority   = "ca.crt"

	keyNextCertificate = "next.crt"
	keyNextPrivate     = "next.key"
	keyNextAuthority   = "next-ca.crt"

	keyPreviousAuthorities = "previous-ca.crt"
)

// A Secret is what the Secret holds, as far as it can be used.
type Secret struct {
	// Current is the pair that servers mount, Next the one that will take its
	// place. Each is nil when it is not there or is no pair.
	Current, Next *Pair
	// Previous are authorities of other pairs that servers may still be serving.
	Previous []*x509.Certificate
}

// ReadSecret reads the data of the Secret. What is there and cannot be used is
// named by the problems, and is treated as absent.
func ReadSecret(data map[string][]byte) (secret Secret, problems []error) {
	read := func(certificate, key, authority string) *Pair {
		if len(data[certificate]) == 0 && len(data[key]) == 0 {
			return nil
		}
		pair, err := ParsePair(data[certificate], data[key], data[authority])
		if err != nil {
			problems = append(problems, fmt.Errorf("%s, %s and %s cannot be used: %w", certificate, key, authority, err))
		}
		return pair
	}
	secret.Current = read(keyCertificate, keyPrivate, keyAuthority)
	secret.Next = read(keyNextCertificate, keyNextPrivate, keyNextAuthority)
	secret.Previous = ParseBundle(data[keyPreviousAuthorities])
	return secret, problems
}

// Issued returns the Secret's data with a new pair as the next one.
func (c *Config) Issued(now time.Time, s *State, data map[string][]byte) (map[string][]byte, error) {
	pair, err := NewPair(now, c.Duration, c.DNSNames)
	if err != nil {
		return nil, err
	}
	data = remember(data, c.retained(now, s))
	data[keyNextCertificate], data[keyNextPrivate] = pair.Certificate, pair.Key
	data[keyNextAuthority] = EncodeBundle([]*x509.Certificate{pair.Authority})
	return data, nil
}

// Promoted returns the Secret's data with the next pair as the current one.
func (c *Config) Promoted(now time.Time, s *State, data map[string][]byte) map[string][]byte {
	previous := c.retained(now, s)
	if s.Current != nil {
		previous = join(previous, s.Current.Authority)
	}
	data = remember(data, previous)
	data[keyCertificate], data[keyPrivate], data[keyAuthority] = data[keyNextCertificate], data[keyNextPrivate], data[keyNextAuthority]
	for _, key := range []string{keyNextCertificate, keyNextPrivate, keyNextAuthority} {
		delete(data, key)
	}
	return data
}

// Forgotten returns the Secret's data without the authorities of earlier pairs.
func Forgotten(data map[string][]byte) map[string][]byte { return remember(data, nil) }

// remember returns the data with these authorities as those of earlier pairs, so
// that a bundle that loses them is given them back.
func remember(data map[string][]byte, previous []*x509.Certificate) map[string][]byte {
	copied := maps.Clone(data)
	if copied == nil {
		copied = map[string][]byte{}
	}
	delete(copied, keyPreviousAuthorities)
	if len(previous) > 0 {
		copied[keyPreviousAuthorities] = EncodeBundle(previous)
	}
	return copied
}
