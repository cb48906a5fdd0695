# SPDX-FileCopyrightText: 2026 The mcps.postgres authors
# SPDX-License-Identifier: GPL-3.0-or-later

# The first Python that really answers (version managers leave stubs that do not), is new enough and can make environments.
# The distribution's comes first: it is compiled with profiles, as those on targets are, and is a quarter faster than most
# that version managers compile.
PYTHON ?= $(shell for python in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)
SERVERS ?= 2000
PORT ?= 55432
BENCH_SERVERS ?= 20000
BENCH_REPEAT ?= 3
BENCH_SLOW_REPEAT ?= 0
BENCH_EMBEDDINGS ?= 200000
BENCH_ONLY ?=
BENCH_SCALING ?=
BENCH_SLOW_SERVERS ?= 20000
BENCH_TIMEOUT ?= 3600
BENCH_VALUES ?= yes
BENCH_RESULTS ?= benchmarks/results

VENV := .venv
APP_VENV := .cache/venv-mcps
BENCH_VENV := .cache/venv-bench
WEB := examples/mcps/apps/web
COLLECTION := .cache/collections/ansible_collections/mcps/postgres
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help venv venv-dev venv-app venv-app-dev venv-bench collection web demo demo-clean bench bench-list bench-docs \
	test test-lint test-unit test-integration test-molecule clean
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "  SERVERS=$(SERVERS) (size of the demo), PORT=$(PORT) (of its PostgreSQL), PYTHON=$(PYTHON)"

venv: $(VENV)/.stamp ## What a controller needs, in .venv

venv-dev: $(VENV)/.stamp-dev ## What the tests need, in .venv

venv-app: $(APP_VENV)/.stamp ## The reference application's own environment

venv-app-dev: $(APP_VENV)/.stamp-test ## What the reference application's own tests need besides

venv-bench: $(BENCH_VENV)/.stamp ## What the benchmarks need besides

collection: $(COLLECTION) ## Let Ansible find this checkout as mcps.postgres

web: $(WEB)/.next/.stamp ## The reference application's web site, built (Node.js comes with the tests' environment)

demo: venv venv-app collection ## Take the reference application to PostgreSQL and back, on this machine
	SERVERS="$(SERVERS)" PORT="$(PORT)" scripts/demo

demo-clean: ## Stop the demo's server and remove what the demo made
	SERVERS="$(SERVERS)" PORT="$(PORT)" scripts/demo clean

bench: venv-bench venv-app collection ## The load and the verification beside the limit and other ways (docs/benchmarks.md)
	$(BENCH_VENV)/bin/python -m benchmarks --servers "$(BENCH_SERVERS)" --embeddings "$(BENCH_EMBEDDINGS)" \
		--repeat "$(BENCH_REPEAT)" --slow-repeat "$(BENCH_SLOW_REPEAT)" --only "$(BENCH_ONLY)" --scaling "$(BENCH_SCALING)" \
		--slow-servers "$(BENCH_SLOW_SERVERS)" --timeout "$(BENCH_TIMEOUT)" \
		$(if $(filter yes true 1,$(BENCH_VALUES)),--values,--no-values) --results "$(BENCH_RESULTS)"

bench-list: venv-bench ## Which contenders BENCH_ONLY can name
	$(BENCH_VENV)/bin/python -m benchmarks --list

bench-docs: venv-bench ## Put the last results into docs/benchmarks.md
	$(BENCH_VENV)/bin/python -m benchmarks --docs --results "$(BENCH_RESULTS)"

test: venv-dev venv-app-dev web collection ## Every check; ends with "N passed, N failed"
	@$(VENV)/bin/python scripts/test

test-lint: venv-dev collection ## Style, types, playbooks, changelog, generated documentation
	@$(VENV)/bin/python scripts/test lint

test-unit: venv-dev collection ## Fast tests
	@$(VENV)/bin/python scripts/test unit

test-integration: venv-dev venv-app web collection ## Modules and roles against a real server
	@$(VENV)/bin/python scripts/test integration

test-molecule: venv-dev venv-app web collection ## Scenarios in containers; SCENARIOS="provision migrate" for some of them
	@$(if $(SCENARIOS),MCPS_SCENARIOS="$(SCENARIOS)") $(VENV)/bin/python scripts/test molecule

clean: ## Remove environments and caches
	rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache $(WEB)/.next $(WEB)/node_modules
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/it" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp: requirements.txt | $(VENV)/bin/python
	$(VENV)/bin/python $(PIP_INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.txt $(VENV)/.stamp
	$(VENV)/bin/python $(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

$(APP_VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/it" >&2; exit 1; }
	@mkdir -p $(dir $(APP_VENV))
	$(PYTHON) -m venv $(APP_VENV)

$(APP_VENV)/.stamp: examples/mcps/requirements.txt | $(APP_VENV)/bin/python
	$(APP_VENV)/bin/python $(PIP_INSTALL) -r examples/mcps/requirements.txt
	@touch $@

$(APP_VENV)/.stamp-test: examples/mcps/requirements-test.txt $(APP_VENV)/.stamp
	$(APP_VENV)/bin/python $(PIP_INSTALL) -r examples/mcps/requirements-test.txt
	@touch $@

$(BENCH_VENV)/.stamp: benchmarks/requirements.txt requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/it" >&2; exit 1; }
	@mkdir -p $(dir $(BENCH_VENV))
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python $(PIP_INSTALL) -r benchmarks/requirements.txt
	@touch $@

# The server that the build leaves does not have the static files beside it.
$(WEB)/.next/.stamp: $(wildcard $(WEB)/*.json $(WEB)/*.ts) $(shell find $(WEB)/src -type f) $(VENV)/.stamp-dev
	cd $(WEB) && PATH="$(CURDIR)/$(VENV)/bin:$$PATH" NODE_USE_SYSTEM_CA=1 npm ci --no-audit --no-fund --loglevel=error
	cd $(WEB) && PATH="$(CURDIR)/$(VENV)/bin:$$PATH" NEXT_TELEMETRY_DISABLED=1 npm run build
	cp -R $(WEB)/.next/static $(WEB)/.next/standalone/.next/static
	@touch $@

$(COLLECTION):
	@mkdir -p $(dir $@)
	ln -sfn ../../../.. $@
