package policy

import (
	"path"
	"strings"
	"unicode"
)

// reservedPath is a part of a container's file system that no policy may
// mount on.
type reservedPath struct {
	path string
	// below says that what lies below it is reserved too.
	below bool
	why   string
}

// A name ending in "-" stands for every directory whose name begins so.
var reservedPaths = []reservedPath{
	{"/", false, "it is the image itself"},
	{"/bin", true, "the image's programs are there"},
	{"/sbin", true, "the image's programs are there"},
	{"/usr", true, "the image's programs are there"},
	{"/lib", true, "the image's libraries are there"},
	{"/lib32", true, "the image's libraries are there"},
	{"/lib64", true, "the image's libraries are there"},
	{"/libx32", true, "the image's libraries are there"},
	{"/etc", false, "the image's configuration is there; a directory below it is fine"},
	{"/etc/ld.so.preload", true, "it changes the code of every program"},
	{"/etc/ld.so.cache", true, "it chooses the libraries of every program"},
	{"/etc/ld.so.conf", true, "it chooses the libraries of every program"},
	{"/etc/ld.so.conf.d", true, "it chooses the libraries of every program"},
	{"/etc/profile", true, "it is run by every login shell"},
	{"/etc/profile.d", true, "it is run by every login shell"},
	{"/tmp", false, "programs write there, and the mount is read-only; a directory below it is fine"},
	{"/proc", true, "the kernel's files are there"},
	{"/sys", true, "the kernel's files are there"},
	{"/dev", true, "the kernel's files are there"},
	{"/builds", true, "the job's own files are there"},
	{"/scripts-", true, "the runner's scripts are there"},
	{"/logs-", true, "the runner's logs are there"},
	{"/var/run/secrets", true, "the service account's token is there"},
	{"/run/secrets", true, "the service account's token is there"},
}

// validateMountPath refuses what no policy may mount on.
func validateMountPath(at, p string, r *report) {
	for _, reserved := range reservedPaths {
		if reserved.covers(p) {
			r.errorf(at, "choose another directory", "nothing may be mounted at %s: %s", p, reserved.why)
			return
		}
	}
	if p == "/run" || p == "/var" || p == "/var/run" {
		r.errorf(at, "choose a directory below it", "nothing may be mounted at %s: it would hide what is below", p)
	}
}

func (r reservedPath) covers(p string) bool {
	if strings.HasSuffix(r.path, "-") {
		return strings.HasPrefix(p, r.path)
	}
	return p == r.path || r.below && within(p, r.path)
}

// within tells whether the clean path p lies below dir.
func within(p, dir string) bool {
	return len(p) > len(dir) && strings.HasPrefix(p, dir) && p[len(dir)] == '/'
}

// mountable tells whether a container runtime takes the path, and a job log
// can show it.
func mountable(p string) bool {
	return !strings.ContainsFunc(p, func(r rune) bool { return r == ':' || !unicode.IsPrint(r) })
}

// validatePath checks an absolute path: clean, and without the colon that
// container runtimes split at.
func validatePath(at, p string, r *report) {
	switch {
	case p == "":
		r.errorf(at, "write a path that begins with a slash", "is empty")
	case !mountable(p):
		r.errorf(at, "choose another name", "%q may hold neither a colon nor what cannot be printed", p)
	case !path.IsAbs(p):
		r.errorf(at, "begin with a slash: "+path.Clean("/"+p), "%q is not absolute", p)
	case path.Clean(p) != p:
		r.errorf(at, "write "+path.Clean(p), "%q is not clean", p)
	}
}

// validateRelative checks a path below a mount.
func validateRelative(at, p string, r *report) {
	switch {
	case p == "":
		r.errorf(at, "name a file", "is missing")
	case !mountable(p):
		r.errorf(at, "choose another name", "%q may hold neither a colon nor what cannot be printed", p)
	case path.IsAbs(p):
		r.errorf(at, "write it relative to mountPath", "%q is absolute", p)
	case strings.HasPrefix(path.Clean("./"+p+"/")+"/", "../"), p == ".":
		r.errorf(at, "write a path below mountPath, without . and ..", "%q does not lie below mountPath", p)
	case path.Clean(p) != p:
		r.errorf(at, "write "+path.Clean(p), "%q is not clean", p)
	case strings.HasPrefix(p, ".."):
		r.errorf(at, "choose another name", "%q begins with two dots, which Kubernetes keeps for itself", p)
	}
}
