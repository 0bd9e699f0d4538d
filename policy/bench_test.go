package policy_test

import (
	"testing"

	"quartermaster.dev/policy"
	"quartermaster.dev/policy/policytest"
)

// BenchmarkDecide measures the decision alone, on a pod that was decoded
// before, and the rendering of its patch.
func BenchmarkDecide(b *testing.B) {
	for name, c := range policytest.Recordings(b) {
		b.Run("pod="+name, func(b *testing.B) {
			req, set := c.Request(b), c.Set()
			b.ReportAllocs()
			for b.Loop() {
				d := policy.Decide(req, set)
				if _, err := d.Additions.Patch(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecodePod measures the decoding of a pod, as compact as the API
// server sends it.
func BenchmarkDecodePod(b *testing.B) {
	for name, c := range policytest.Recordings(b) {
		b.Run("pod="+name, func(b *testing.B) {
			b.SetBytes(int64(len(c.Object)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := policy.DecodePod(c.Object); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
