# Thin: each target is one thing. `make run` and `make test` are all that a fresh machine needs.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c

SWIFT_FLAGS := -c release -Xswiftc -enable-testing
BINARY := .build/release/pointsman
VENV := .build/venv
PACKAGES := build-essential ca-certificates curl libcurl4-openssl-dev libssl-dev libsqlite3-dev
TEST_PACKAGES := $(PACKAGES) python3 python3-venv nginx-light
BENCH_PACKAGES := $(TEST_PACKAGES) haproxy

.PHONY: run build test check bench fuzz soak format packages test-packages bench-packages

run: build ## builds and starts the router on routes.yaml
	exec $(BINARY) serve --config routes.yaml

build: packages ## builds the router: .build/release/pointsman
	command -v swift >/dev/null || { echo "Swift 6.3 or later is needed: see https://www.swift.org/install/linux/" >&2; exit 1; }
	swift build $(SWIFT_FLAGS) --product pointsman

test: test-packages check ## what CI runs: formatting, unit tests, end-to-end tests on real engines
	swift build $(SWIFT_FLAGS) --build-tests
	swift test $(SWIFT_FLAGS) --skip-build
	$(MAKE) --no-print-directory $(VENV)/.done
	POINTSMAN_BINARY=$(abspath $(BINARY)) $(VENV)/bin/pytest -q Tests/EndToEnd

check: ## formatting
	swift format lint --strict --recursive --parallel Package.swift Sources Tests

format: ## formats in place
	swift format --in-place --recursive --parallel Package.swift Sources Tests

bench: bench-packages build ## CPU per request and ratios to nginx; BENCH="--short" for the short form
	swift build $(SWIFT_FLAGS) --product inprocess-bench && .build/release/inprocess-bench
	POINTSMAN_BINARY=$(abspath $(BINARY)) python3 Tests/Bench/bench.py $(BENCH)

fuzz: packages ## fuzzes every parser with ASan for SECONDS (60) each
	Tests/Fuzz/fuzz $(or $(SECONDS_EACH),60)

soak: test-packages ## under CPU and disk stress: the state machines and the failure table TABLE_ROUNDS (100) times, all ROUNDS (5) times; debug checks, fuzzing
	swift build $(SWIFT_FLAGS) --build-tests
	$(MAKE) --no-print-directory $(VENV)/.done
	swift test --scratch-path .build-debug
	Tests/Fuzz/fuzz $(or $(SECONDS_EACH),60)
	export POINTSMAN_BINARY=$(abspath $(BINARY))
	mkdir -p .build/soak
	while :; do :; done & stress="$$!"
	while :; do :; done & stress="$$stress $$!"
	while :; do dd if=/dev/zero of=.build/soak/file bs=1M count=64 conv=fsync status=none; done & stress="$$stress $$!"
	trap 'kill $$stress 2>/dev/null; rm -rf .build/soak' EXIT
	for round in $$(seq $(or $(TABLE_ROUNDS),100)); do
		echo "state machines and table, round $$round"
		swift test $(SWIFT_FLAGS) --skip-build --filter 'RelayTests|BreakerTests' 2>&1 | grep -E "✘|Test run with"
		$(VENV)/bin/pytest -q -p no:cacheprovider Tests/EndToEnd/test_faults.py | tail -n 3
	done
	for round in $$(seq $(or $(ROUNDS),5)); do
		echo "everything, round $$round"
		POINTSMAN_FULL=1 $(VENV)/bin/pytest -q Tests/EndToEnd
	done

$(VENV)/.done: Tests/EndToEnd/requirements.txt
	for python in python3 python3.13 python3.12 python3.11; do
		$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
		python=
	done
	[ -n "$$python" ] || { echo "the end-to-end tests need Python 3.11 or later, with its venv module" >&2; exit 1; }
	$$python -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

packages: ; @$(call install,$(PACKAGES))
test-packages: ; @$(call install,$(TEST_PACKAGES))
bench-packages: ; @$(call install,$(BENCH_PACKAGES))

# Installs the Debian packages that are missing; without root it says which.
define install
	missing=""
	for package in $(1); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done
	[ -n "$$missing" ] || exit 0
	echo "installing:$$missing"
	if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi
	$$sudo apt-get update -q >/dev/null && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing >/dev/null ||
		{ echo "could not install; run: apt-get install$$missing" >&2; exit 1; }
endef
