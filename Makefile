# Bulkhead. `make` alone prints what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url
PARTS := requirements/prod requirements/local requirements/clients sandbox/requirements
CODE := kit contracts tenantdb services gateway ops sandbox bench tests

##@ Use it
help: ## this page
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
run: setup ## start the whole suite here; the first start also plays the story into it; Ctrl-C stops
	@$(BIN)/bulkhead run
demo: setup ## play the story in a throw-away instance; exits 0, or says what failed
	@$(BIN)/bulkhead demo
setup: $(READY) ## the virtual environment with everything in it (done by the others as needed)

##@ Work on it
test: setup ## all tests, with real PostgreSQL, RabbitMQ and Envoy
	@$(BIN)/pytest -q -n 2
test-fast: setup ## the tests that start no servers
	@$(BIN)/pytest -q -m "not servers and not journey" -x
compose-test: setup ## both compose files on a real Docker engine: build, start, story, restart, end
	@$(BIN)/python -m tests.compose
check: setup ## lint, format, types, architecture; changes nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports
fmt: setup ## format and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
docs: setup ## write the generated pages again (docs/events.md, docs/asyncapi.json)
	@$(BIN)/python -m ops.docs
proof: setup ## what is statistical, timed or long: one table with limits (under an hour)
	@$(BIN)/python -m tests.proof
mutants: setup ## plant small wrong changes; fails where tests notice fewer than 90 %
	@$(BIN)/python -m tests.planted
bench: setup ## benchmarks; ratios side by side
	@$(BIN)/python -m bench

##@ Keep it
lock: setup ## resolve every list of requirements, with hashes; what is tested is what is installed
	@$(LOCK) requirements/dev.in --output-file requirements/dev.txt
	@for name in $(PARTS); do $(LOCK) --constraints requirements/dev.txt $$name.in --output-file $$name.txt; done
clean: ## remove the virtual environment, caches and the local suite's data
	@if [ -x $(BIN)/bulkhead ]; then $(BIN)/bulkhead clean; fi
	@rm -rf $(VENV) .run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info sandbox/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements/dev.txt pyproject.toml sandbox/pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, this is $$($(PYTHON) -V)"; exit 1; }
	@echo "Setting up $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --editable . --editable sandbox
	@touch $(READY)

.PHONY: help run demo setup test test-fast compose-test check fmt docs proof mutants bench lock clean
