# One image for every program of Quartermaster: the server, what renews its certificate, and the command line, which the
# chart's hooks run.
#
#     docker build --build-arg VERSION=v1.2.3 -t quartermaster:v1.2.3 .
#
# The same source, VERSION and base images give the same binaries, wherever and whenever they are built; who wants to rebuild
# an old image pins both base images by digest. The same image digest needs file times that are agreed on too:
# SOURCE_DATE_EPOCH=0 with BuildKit's rewrite-timestamp=true, or buildah's --timestamp 0.

# The compiler runs on the builder's own platform and compiles for another one, which is faster than emulating that.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY . .
ARG TARGETOS TARGETARCH VERSION=devel
# There is no step of its own for the modules: with the cache mounts the build downloads just those that it needs, once.
# Static, since the image below has no C library. -buildvcs=false, since .git is not copied.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    mkdir /out && \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
        -ldflags "-s -w -X quartermaster.dev/cmd/internal/version.version=$VERSION" -o /out/ ./cmd/...

# CA certificates, time zones, an entry in /etc/passwd, and neither shell nor package manager.
FROM gcr.io/distroless/static:nonroot
ARG VERSION=devel
LABEL org.opencontainers.image.title="quartermaster" \
      org.opencontainers.image.description="Equips GitLab Runner job pods with their namespace's credentials and placement" \
      org.opencontainers.image.url="https://quartermaster.dev" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /out/ /usr/local/bin/
# In digits: the kubelet cannot tell of a name whether it is root's, and runAsNonRoot would refuse it.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/quartermaster-webhook"]
