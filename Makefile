# Everything that is done with a checkout. `make help` lists it.
# Needs Python 3.11 or newer with venv, make and git; all else is installed into $(VENV) from requirements.lock.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$candidate; break; fi; done)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
# Debian's python3 without python3-venv makes environments that have no pip of their own; its python3-pip fills them.
PIP = $$($(BIN)/python -m pip --version >/dev/null 2>&1 && echo $(BIN)/python -m pip || echo $(PYTHON) -m pip --python $(BIN)/python)
# Two test processes for each core, since many tests wait for an event. Each begins with a share of whole modules, so that
# few modules start their peers twice; JOBS=0 runs all in one process, in the order of the random seed.
JOBS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) * 2)))
# make crash: how often a process is killed, and the seed of the moments.
KILLS ?= 200
CRASH_SEED ?= 1
# make fuzz searches anew for so many seconds; with SEED it plays RUNS inputs of that seed, the same each time.
SECONDS_OF_FUZZING ?= 600
SEED ?=
RUNS ?= 20000
SEARCH = $(if $(SEED),-seed=$(SEED) -runs=$(RUNS) -timeout=60,-max_total_time=$(SECONDS_OF_FUZZING) -timeout=2)
ARGS ?=

# make test plays a sample; WHOLE=1 plays every test on every database, with more examples.
ifdef WHOLE
export HYPOTHESIS_PROFILE ?= ci
endif
export PEERS
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install demo test check format bench crash fuzz example pictures lock wheel clean

help: ## list what there is to make
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(STAMP) ## create .venv with what requirements.lock names

$(STAMP): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "mail2sms needs Python 3.11 or newer: none found" >&2; exit 1; fi
	@if [ ! -x $(BIN)/python ]; then \
		if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
		elif $(PYTHON) -m pip --version >/dev/null 2>&1; then $(PYTHON) -m venv --without-pip $(VENV); \
		else echo "$(PYTHON) can make no environment: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; fi; fi
	$(PIP) install --quiet --require-hashes --no-deps -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## a mail, its SMS and the status mail, all on this machine; ONCE=1 ends after the first
	$(BIN)/mail2sms demo $(if $(ONCE),--once) $(ARGS)

test: install ## the tests, a sample of what is slow or has many cases; WHOLE=1 plays all, PEERS=required makes a missing peer a failure
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: install ## what must be clean before a commit: format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## put the code into the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## what it costs, as ratios against peers of the same run
	$(BIN)/python -m tests.benchmarks $(ARGS)

crash: install ## kill -9 under load on both databases: KILLS times each, at the moments of CRASH_SEED
	$(BIN)/python -m pytest -n $(JOBS) -m crash --timeout 0 --kills $(KILLS) --crash-seed $(CRASH_SEED) $(ARGS)

fuzz: install ## raw bytes into the mail reader and the SMTP dialogue for ten minutes: coverage-guided searches, and Hypothesis beside them
	$(BIN)/python -m tests.fuzz.search mails $(SEARCH) & mails=$$!; \
	$(BIN)/python -m tests.fuzz.search conversations $(SEARCH) & conversations=$$!; status=0; \
	HYPOTHESIS_PROFILE=$(if $(SEED),seeded,fuzz) $(BIN)/python -m pytest -n 0 --timeout 0 tests/fuzz $(ARGS) || status=$$?; \
	wait $$mails || status=$$?; wait $$conversations || status=$$?; exit $$status

example: install ## write what is generated: the example file, the pictures of the documentation, the standard mails inlined
	$(BIN)/python -m config.example > mail2sms.example.toml
	$(BIN)/python -m tests.lifecycle_picture docs/architecture.md
	$(BIN)/python -m tests.command_reference docs/commands.md
	$(BIN)/python -m tests.country_pages docs/countries.md
	$(BIN)/python -m tests.directory_options_reference docs/directory-options.md
	$(BIN)/python -m tests.standards_index docs/standards.md
	$(BIN)/python -m tests.inlined_template templates/mail
	$(BIN)/python -m web.api_v2.description > docs/openapi.json

pictures: install ## take the pictures of the guide of the portal again (needs chromium and pngquant)
	$(BIN)/python -m tests.portal_pictures docs/pictures/portal

lock: ## resolve pyproject.toml again into requirements.lock (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" --group dev --extra postgresql --extra oidc --extra acme pyproject.toml --output-file requirements.lock

wheel: install ## build dist/: the wheel, and the versions of what it needs as a file of constraints
	rm -rf dist
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	sed -n 's/ \\$$//; /^[a-z0-9].*==/p' requirements.lock > dist/constraints.txt

clean: ## remove .venv and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
