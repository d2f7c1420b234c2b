# `make` alone lists the targets. There are no build tags: plain go commands,
# an editor and this file all build and test the same program.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

# check stops at the first thing that is wrong, the cheap things first.
.NOTPARALLEL:

# SQLite is C.
export CGO_ENABLED := 1

# Where Go is installed by hand, and not everybody's PATH knows of it.
export PATH := $(PATH):/usr/local/go/bin

# Where git is not there to ask, the version says so.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)

# How long a thing may take. TIMEOUT is for one package's tests.
TIMEOUT  ?= 12m
FUZZTIME ?= 30s
SOAK     ?= 10m

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build ./switchlog
	go build -trimpath -ldflags '$(LDFLAGS)' -o switchlog ./cmd/switchlog

.PHONY: run
run: build ## build and start switchlog, data in ./switchlog-data
	@echo 'Starting switchlog. Ctrl-C stops it. In a second terminal, here:'
	@echo '  ./switchlog status                               how it is doing'
	@echo '  ./switchlog source add pluralkit --token-file -  let PluralKit in: README.md, "A minute to try it"'
	@echo '  ./switchlog tail                                 watch what arrives'
	@echo
	@exec ./switchlog serve

.PHONY: test
test: ## all tests, without the race detector
	go test -timeout $(TIMEOUT) ./...

# The whole-system tests take longest and mostly wait: they begin, others run beside them.
.PHONY: race
race: ## all tests, with the race detector
	go test -race -parallel 4 -timeout $(TIMEOUT) ./test ./...

.PHONY: e2e
e2e: ## the whole-system tests only, never from the cache
	go test -race -parallel 4 -count=1 -timeout $(TIMEOUT) ./test

.PHONY: soak
soak: ## the whole-system tests, histories and faults for SOAK=10m each
	SOAK=$(SOAK) go test -race -count=1 -timeout 24h ./test/...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME=30s
	@grep -rlE --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do \
		for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$$file"); do \
			echo "== $$target, $$(dirname "$$file")"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" </dev/null; \
		done; \
	done

.PHONY: bench
bench: ## measure what is promised, beside peers, into test/bench/RESULTS.md
	go run ./test/bench -out test/bench/RESULTS.md

.PHONY: benchmarks
benchmarks: ## all Go benchmarks, with allocations
	go test -run '^$$' -bench . -benchmem -timeout 1h ./...

# What gosec is not asked for, everywhere. One exception has its reason beside it: `#nosec G… -- why`.
# G104 errors not looked at: staticcheck and review look at those that matter; closing what failed is not one.
# G304 files by a name that is not constant: all names are the operator's, from flags and the data directory;
#      requests name none. test/ is excluded: its programs run as whoever tests.
# G113, G601 faults of Go before 1.17 and before 1.22; both ask for the version once a file, which takes minutes.
GOSEC = -quiet -exclude=G104,G304,G113,G601 -exclude-dir=test

.PHONY: vuln
vuln: ## known vulnerabilities of what we are built with; asks the network, so check does not run it
	go run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./...

.PHONY: lint
lint: ## formatting, vet, static analysis, modules as go.sum says
	@echo 'gofmt -l .'; unformatted=$$(gofmt -l .); \
	if [[ -n $$unformatted ]]; then echo "$$unformatted"; echo '(hint: gofmt -w on these files)'; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	go tool gosec $(GOSEC) ./...
	go mod verify

.PHONY: generate
generate: ## write the generated files again
	go generate ./...

# Every file git knows or would take, with its hash. It sees all generated
# files without a list of them, and does not mind work not yet committed.
SUMS = git ls-files -z --cached --others --exclude-standard --deduplicate | \
	while IFS= read -r -d '' f; do if [[ -f $$f ]]; then sha256sum "$$f"; fi; done

.PHONY: fresh
fresh: ## fail if generating again changes a file
	@before=$$($(SUMS)); $(MAKE) generate; after=$$($(SUMS)); \
	if [[ $$before != "$$after" ]]; then \
		diff <(echo "$$before") <(echo "$$after") || true; \
		echo '(hint: these files were stale and are now generated anew; look at them and commit them)'; exit 1; \
	fi

.PHONY: needs
needs: ## install what the tests need, or say how
	@bash test/needs.sh

.PHONY: check
check: needs lint fresh race ## what CI runs: needs, lint, fresh, and the tests last

.PHONY: clean
clean: ## remove what a build leaves behind; never the data
	rm -f switchlog *.test *.out *.prof
