# Two commands do everything on a fresh Debian 12 machine, as root:
#   make qualify    the main job: a real candidate on a real cluster
#   make test       every hermetic test
SHELL := /bin/bash
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
E2E_FLAGS := -trimpath -buildvcs=false -tags=selinux,notest,grpcnotrace -ldflags='-s -w'
OS ?= debian-12
K8S ?= 1.34

.PHONY: help qualify build setup test fuzz endure mutants e2e lint bench clean

help: ## list the targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: ## install what is missing on this machine, start the container engine
	@hack/setup

build: ## compile bin/qualify and bin/qualify-e2e
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-X main.version=$(VERSION)' -o bin/qualify ./cmd/qualify
	cd suites/e2e && CGO_ENABLED=0 GOWORK=off go test -c -vet=off $(E2E_FLAGS) -o ../../bin/qualify-e2e .

qualify: setup build ## build a candidate, bring its cluster up, test it, judge it (OS=, K8S=)
	bin/qualify --os $(OS) --k8s $(K8S)

test: ## every hermetic test
	@hack/test

fuzz: ## each fuzz target for a minute (FUZZTIME=60s)
	@hack/fuzz

endure: build ## kills at random, lies, hostile bytes; takes minutes
	@hack/endure

mutants: ## take each guard of the judge away in turn: 7 minutes
	QUALIFY_MUTANTS=1 go test -count=1 -v -timeout=30m -run TestEveryGuardIsNeeded ./internal/selftest

e2e: setup build ## the real path on real clusters, with assertions
	QUALIFY_E2E=1 go test -count=1 -timeout=60m -v ./e2e/...
	QUALIFY_E2E=1 QUALIFY_E2E_BINARY=$(CURDIR)/bin/qualify QUALIFY_E2E_MANIFEST=$$(bin/qualify release build --k8s v1.34.4) \
		go test -count=1 -timeout=30m -v -run 'TestQualifyOnRealHosts$$' ./internal/provision/metal

lint: ## vet and golangci-lint
	go vet ./... && go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

bench: setup build ## measure what the README claims
	go run ./bench/clusterup

clean: ## remove what was built here; caches and results stay
	rm -rf bin
