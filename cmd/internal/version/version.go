// Package version tells which build a binary is.
package version

import "runtime/debug"

// version is set by the linker:
// -X quartermaster.dev/cmd/internal/version.version=v1.2.3
var version string

// String is the version, or the revision it was built from, or "devel".
func String() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
