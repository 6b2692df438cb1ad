# readystate: from a fresh clone, `make rack` shows it working and `make test` proves it.
# Every target sets up what it needs; nothing outside .venv and var/ is touched, except by
# setup-test, which may install Debian packages.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup setup-test rack test fmt lint types arch house unit property protocol e2e \
        mutate metal bench golden diagrams docs lock clean

##@ Start here
help:  ## this story
	@awk 'BEGIN { FS = ":.*## "; print "readystate: from racked machines to the ready state" } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  ARGS="..." is handed on: make rack ARGS=--once; make test ARGS="-k lanes -x"\n'

rack: setup  ## a virtual rack of 12 nodes goes from BMC scan to ready; API left on 127.0.0.1:8000
	@$(BIN)/readystate rack --state-dir var/rack $(ARGS)

test: setup setup-test  ## lint, types, layers and all tests: what CI runs
	@$(BIN)/python tools/check.py $(ARGS)

##@ Set-up (done by the targets that need it)
setup:  ## .venv with pinned versions and readystate itself; does nothing when up to date
	@$(PYTHON) tools/setup_venv.py

setup-test: setup  ## system programs that tests talk to (IPMI peers, PostgreSQL), by apt-get
	@$(BIN)/python tools/system_packages.py

##@ While you work
fmt: setup  ## lay out the code and sort imports
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: setup  ## find mistakes and bad style, change nothing
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup  ## mypy: strict, a little less where libraries have no types
	@$(BIN)/mypy

arch: setup  ## layers and library homes: imports go right only
	@$(BIN)/lint-imports --no-logo

##@ One kind of test
unit: setup  ## domain, planner, use cases with fakes; under 20 s
	@$(PYTEST) tests/unit $(ARGS)

house: setup  ## the rules of this repository: layers, names, docs, wheel
	@$(PYTEST) tests/house $(ARGS)

property: setup setup-test  ## the graph's laws under Hypothesis; LONG=1 for the long profile
	@$(PYTEST) tests/property $(ARGS)

mutate: setup  ## drop the clauses of the rules one by one: a test notices each (minutes)
	@$(BIN)/python -m tools.mutate $(ARGS)

protocol: setup setup-test  ## each adapter against real peers: BMCs, ssh, both databases
	@$(PYTEST) tests/protocol $(ARGS)

e2e: setup setup-test  ## BMC address to ready, through API and CLI, on a virtual rack
	@$(PYTEST) tests/e2e $(ARGS)

metal: setup setup-test  ## the same with QEMU machines: real firmware, real PXE
	@$(PYTEST) -m metal tests $(ARGS)

##@ Measure and renew
bench: setup setup-test  ## one line a figure, beside a peer; STRICT=1 fails on a MISS, ONLY=name
	@$(BIN)/python -m bench $(ARGS)

golden: setup setup-test  ## write expected outputs anew; read the diff before you commit it
	@GOLDEN=write $(PYTEST) -m 'not metal and not lab' tests $(ARGS)
	@git --no-pager diff --stat

diagrams: setup  ## docs/states.md from the transition table
	@$(BIN)/python tools/diagrams.py

docs: diagrams  ## generated pages, then check links, indexes and names
	@$(BIN)/python tools/settings_page.py
	@$(PYTEST) tests/house/test_docs.py $(ARGS)

lock: setup  ## write the versions in .venv to requirements.lock
	@$(BIN)/python tools/lock.py

clean:  ## remove .venv, caches and var/ (the rack's state)
	@rm -rf .venv var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
