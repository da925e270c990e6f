PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := requirements-dev.lock
PACKAGES := cli domain export projections
SECONDS ?= 3600
DEMO_DATA := $(wildcard ../shared/data/beads/issues.jsonl)

# With bytecode switched off every start of crewlog costs 4.5 times as much.
unexport PYTHONDONTWRITEBYTECODE
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/$(VENV)/.cache/hypothesis

.PHONY: help demo test soak soak-tests bench format docs lock clean install
.PHONY: format-check ruff mypy pyright imports docs-check pytest

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

install: $(VENV)/.installed ## create .venv with the project and its tools

demo: install ## show crewlog at work
	$(BIN)/crewlog demo $(DEMO_DATA)

test: format-check ruff mypy pyright imports docs-check pytest ## everything that must pass before a change lands

format-check: install
	$(BIN)/ruff format --check .

ruff: install
	$(BIN)/ruff check .

mypy: install
	$(BIN)/mypy

pyright: install
	$(BIN)/pyright

imports: install
	$(BIN)/lint-imports --cache-dir $(VENV)/.cache/import-linter

docs-check: install
	$(BIN)/python docs/generate.py --check

# The wheel test is among these: tests/packaging builds it and installs it into an environment of its own.
pytest: install
	$(BIN)/pytest --cov --cov-report= --numprocesses auto --maxprocesses 8 --dist loadgroup
	CREWLOG_WARM=1 $(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist loadgroup tests/cli --ignore tests/cli/warm

soak: install ## an hour of thirty agents, kills, stops, wrong clocks and imports (SECONDS=3600)
	$(BIN)/python -m tests.soak $(SECONDS)

soak-tests: install ## the long forms of the slow, the fault and the fuzz tests
	CREWLOG_SOAK=1 $(BIN)/pytest -m "slow or faults"

bench: install ## measure; prints ratios, judges nothing
	$(BIN)/python -m bench

format: install ## format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

docs: install ## write the generated pages anew
	$(BIN)/python docs/generate.py

# Resolved on the oldest Python that is supported, so that the others can install it too.
lock: ## resolve the dependencies anew, with Python 3.11
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "make lock needs Python 3.11: make lock PYTHON=python3.11" >&2; exit 1; }
	rm -rf $(VENV)/lock
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/lock/bin/python -m pip install --quiet --group dev ".[postgres]"
	@{ sed -n '/^#/p' $(LOCK); \
		$(VENV)/lock/bin/python -m pip freeze --all --exclude crewlog --exclude setuptools; \
	} > $(VENV)/lock/new
	mv $(VENV)/lock/new $(LOCK)
	rm -rf $(VENV)/lock

clean: ## remove everything that make made
	rm -rf $(VENV) build dist
	find $(PACKAGES) tests bench docs -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.locked: $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "crewlog needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) cannot make virtual environments (on Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --requirement $(LOCK)
	@touch $@

# An editable install copies the launcher, so a new launcher is a new install.
$(VENV)/.installed: $(VENV)/.locked pyproject.toml cli/launcher.py cli/version.py
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@
