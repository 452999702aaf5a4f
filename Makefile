# Everything Pilothouse needs is set up by the first target you ask for; the second time that is instant.
# Only Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 names another one than the first found.

PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3),python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes --only-binary :all: --no-compile
JOBS ?= 3
PACKAGES := config calendar_app releases processes activities

# Modules are compiled when they are used first, and kept, wherever this runs: most never are.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run demo-real test crash real screens requests lint format types imports migrations check screenshots bench lock clean chromium

help:  ## Shows this list
	@sed -n 's/^\([a-z-]*\):.*##/  make \1\t/p' $(MAKEFILE_LIST)

run: $(VENV)/.runs  ## Starts everything and shows the first release; PORT=8001 chooses a port, ARGS=--no-demo skips it
	@PILOTHOUSE_LOCAL_PROVIDER=$${PILOTHOUSE_LOCAL_PROVIDER:-true} exec $(BIN)/python manage.py run $(ARGS)

demo-real: $(VENV)/.develops  ## Plays a release over a real Buildbot, Unleash and Prometheus, which it installs; PORT=8001
	@exec $(BIN)/python -m tests.real

test: $(VENV)/.develops chromium  ## Runs every test on a real PostgreSQL, broker and browser; ARGS="-k word" chooses, JOBS=6 hurries
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

crash: $(VENV)/.develops  ## Kills whatever can be killed at random moments, for minutes; CRASH_RELEASES=100 says how long
	@$(BIN)/python -m pytest -m crash -rP tests/system $(ARGS)

real: $(VENV)/.develops  ## Runs the tests against real servers, and descriptions of them, that take long to install
	@$(BIN)/python -m pytest -m real tests/system $(ARGS)

screens: $(VENV)/.develops chromium  ## Looks at every page on every screen, which `make test` lets screens share
	@$(BIN)/python -m pytest -m long --numprocesses $(JOBS) tests/browser $(ARGS)

requests: $(VENV)/.develops  ## Makes many more of the requests that the API's schema allows; SCHEMA_EXAMPLES=100 says how many
	@SCHEMA_EXAMPLES=$${SCHEMA_EXAMPLES:-25} $(BIN)/python -m pytest tests/edges/test_api_schema.py $(ARGS)

lint: $(VENV)/.develops  ## Style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.develops  ## Mends style and format where a program can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

types: $(VENV)/.develops  ## Types
	@$(BIN)/mypy $(PACKAGES) tests manage.py

imports: $(VENV)/.develops  ## Who may import whom
	@$(BIN)/lint-imports

migrations: $(VENV)/.develops  ## Whether every model has its migration
	@DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run

check: lint types imports migrations  ## Everything but the tests

screenshots: $(VENV)/.develops chromium  ## Draws the pictures of the documentation anew
	@$(BIN)/python -m tests.browser.screenshots

bench: $(VENV)/.develops  ## Measures speed beside bare Celery; ARGS="follow" chooses
	@$(BIN)/python -m tests.benchmarks $(ARGS)

lock:  ## Writes the lock files anew from pyproject.toml (needs uv)
	uv pip compile --quiet --upgrade $(LOCK) pyproject.toml -o requirements.txt
	uv pip compile --quiet --upgrade $(LOCK) --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header

clean:  ## Removes the environment; the data in .pilothouse stays
	rm -rf $(VENV)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; $(PYTHON) is not: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@echo "Making the environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module does not work here: install it." >&2; exit 1; }
	@touch $@

$(VENV)/.runs: requirements.txt | $(VENV)/.made
	@echo "Installing what Pilothouse needs ..."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.develops: requirements-dev.txt | $(VENV)/.made
	@echo "Installing what developing needs ..."
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/.runs

chromium:
	@for name in "$$CHROMIUM" chromium-headless-shell chromium chromium-browser google-chrome; do \
		if command -v "$$name" >/dev/null 2>&1; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ]; then as_root=env; elif sudo -n true 2>/dev/null; then as_root="sudo env"; else as_root=false; fi; \
	echo "Installing Chromium for the browser tests ..."; \
	get="$$as_root DEBIAN_FRONTEND=noninteractive apt-get install -qq -y"; \
	{ $$as_root apt-get update -qq && { $$get chromium-headless-shell || $$get chromium; } >/dev/null; } || \
	echo "Chromium could not be installed: the browser tests will not run." >&2
