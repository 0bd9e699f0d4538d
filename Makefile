# Pinned tools. Everything else is pinned in go.mod and e2e/controlplane/go.mod.
GOLANGCI_LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BENCHSTAT     = go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS  = -X quartermaster.dev/cmd/internal/version.version=$(VERSION)
FUZZTIME ?= 30s

# The race detector needs a C compiler.
RACE = $(shell command -v $$(go env CC) >/dev/null && echo -race)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the binaries into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/ ./cmd/...

.PHONY: demo
demo: ## Show a job pod before and after, on a real API server (the first build takes minutes)
	@go run ./e2e/prepare ./cmd/quartermaster-webhook ./e2e/demo
	@bin/demo

.PHONY: test
test: ## Run every test, the ones on the real API server included
	@go run ./e2e/prepare $(RACE) -crds -all ./cmd/quartermaster-webhook ./cmd/quartermaster-certs
	go test $(RACE) -timeout 30m ./...

.PHONY: generate
generate: ## Write what is generated from the chart: its README and schema, and manifests/install.yaml
	go run ./e2e/chart/generate

.PHONY: verify
verify: ## Check that what is generated is up to date, go.mod is tidy, and Prometheus accepts the alerts
	go mod tidy -diff
	go run ./e2e/chart/generate -check
	@go run ./e2e/prepare -promtool -crds
	go test -tags promtool ./e2e/chart -run '^TestPromtool'

# A cluster is taken only from the command line: one that happens to be in the environment may be in production.
GIVEN = $(if $(filter command line,$(origin KUBECONFIG)),-kubeconfig $(KUBECONFIG) -image $(IMAGE) -job-image $(JOB_IMAGE))

.PHONY: e2e
e2e: ## Install the chart on a real node and run jobs there (root, Debian), or with KUBECONFIG=, IMAGE= and JOB_IMAGE= on a cluster
	$(if $(GIVEN),,go test -tags e2e ./e2e/node ./e2e/image)
	go run ./e2e/up $(GIVEN) $(E2EFLAGS)

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (30s)
	go test ./policy/jsonscan -run '^$$' -fuzz '^FuzzScanner$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x
	go test ./policy -run '^$$' -fuzz '^FuzzCompile$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x
	go test ./policy -run '^$$' -fuzz '^FuzzDecodePod$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x
	go test ./policy -run '^$$' -fuzz '^FuzzReadManifest$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x
	go test ./policy -run '^$$' -fuzz '^FuzzDecide$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x
	go test ./policy -run '^$$' -fuzz '^FuzzRefusalText$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x
	go test ./webhook -run '^$$' -fuzz '^FuzzDecodeReview$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x

.PHONY: bench
bench: ## Measure decisions, and pod creations against the cheapest webhook there can be (twenty minutes)
	@go run ./e2e/prepare ./cmd/quartermaster-webhook
	@echo "Deciding, and the handler, on each recorded pod: two minutes, and a table at the end" >&2
	go test ./policy ./webhook -run '^$$' -bench . -benchtime 300ms -count 6 >bin/bench.txt || { cat bin/bench.txt; exit 1; }
	$(BENCHSTAT) -filter '.name:Handler .unit:sec/op' -row /pod -col '/by@(valid quartermaster reference)' bin/bench.txt
	$(BENCHSTAT) -filter '.name:Handler .unit:(B/op OR allocs/op) /by:(quartermaster OR reference)' -row /pod -col '/by@(quartermaster reference)' bin/bench.txt
	$(BENCHSTAT) -filter '.name:(Decide OR DecodePod) .unit:(sec/op OR B/op OR allocs/op)' -row /pod -col .name bin/bench.txt
	go run ./e2e/bench

.PHONY: bench-soak
bench-soak: ## Create pods for a quarter of an hour while policies change, and look for growth
	@go run ./e2e/prepare ./cmd/quartermaster-webhook
	go run ./e2e/bench -soak 15m

.PHONY: bench-scale
bench-scale: ## Measure the server with 10,000 policies in 5,000 namespaces
	@go run ./e2e/prepare ./cmd/quartermaster-webhook
	go run ./e2e/benchscale

.PHONY: lint
lint: ## Check format, vet and lint
	$(GOLANGCI_LINT) run ./...

.PHONY: clean
clean: ## Remove what the other targets built
	rm -rf bin
