package image

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Where the stand-in for golang has this machine's Go and its caches.
const (
	goRoot        = "/usr/local/go"
	goModuleCache = "/go/modules"
	goBuildCache  = "/go/build"
)

// golang stands in for the image that the Dockerfile compiles in: a shell, the place for this machine's own Go, and
// the environment that leads go to this machine's caches and keeps it from asking anybody. These are not the folders of
// the Dockerfile's cache mounts, which would hide them.
func golang() (v1.Image, error) {
	files := rootfs{}
	if err := files.base(); err != nil {
		return nil, err
	}
	if err := files.shell(); err != nil {
		return nil, err
	}
	for _, dir := range []string{goRoot, goModuleCache, goBuildCache} {
		files.dir(dir, 0o755)
	}
	return newImage(files, v1.Config{
		Env: []string{
			"PATH=" + goRoot + "/bin:" + searchPath, "GOPATH=/go", "GOTOOLCHAIN=local",
			"GOMODCACHE=" + goModuleCache, "GOCACHE=" + goBuildCache, "GOPROXY=off",
		},
		WorkingDir: "/go",
	})
}

// distroless stands in for the image that Quartermaster's is based on.
func distroless() (v1.Image, error) {
	files := rootfs{}
	if err := files.base("nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin"); err != nil {
		return nil, err
	}
	files.dir("home/nonroot", 0o755)
	return newImage(files, v1.Config{
		User: "65532", Env: []string{"PATH=" + searchPath, "SSL_CERT_FILE=" + caBundle}, WorkingDir: "/home/nonroot",
	})
}
