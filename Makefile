# Two commands: `make serve` and `make test`. Everything that they need is installed into $(VENV).

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
# The set of dependencies: `default` serves and stays light, `all` brings every engine, `dev` is for the tests.
SET := $(if $(ALL),all,default)
# PyTorch's wheels are not locked by hash, because every machine wants its own build: this version is pinned for CPUs.
# TORCH_INDEX=https://download.pytorch.org/whl/cpu spares a Linux machine without a GPU the CUDA libraries.
TORCH ?= torch==2.13.0
TORCH_INDEX ?=

.PHONY: help serve install test check format lint types arrows pytest lock clean

help: ## Show this help
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

serve: install ## Install, fetch the weights, migrate the database, serve on http://127.0.0.1:8000/v1
	$(BIN)/antiphon serve --prepare

install: $(VENV)/.installed-$(SET) ## Install what serving needs (ALL=1: every engine)

test: $(VENV)/.installed-dev ## Install what the tests need and pass all of them
	$(BIN)/antiphon models pull --all
	$(MAKE) --no-print-directory check

check: format lint types arrows pytest

format:
	$(BIN)/ruff format --check

lint:
	$(BIN)/ruff check

types:
	$(BIN)/mypy

arrows:
	$(BIN)/lint-imports

pytest:
	$(BIN)/pytest

lock: $(VENV)/.installed-dev ## Resolve the dependencies of pyproject.toml anew
	for set in default all dev; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
			--no-emit-package torch --constraint requirements/cpu.in \
			--custom-compile-command 'make lock' --extra $$set --output-file requirements/$$set.txt \
			pyproject.toml requirements/build.in || exit 1; done

clean: ## Delete the environment; data stays
	rm -rf $(VENV)

$(VENV)/.installed-%: requirements/%.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(if $(filter all dev,$*),$(BIN)/python -m pip install --disable-pip-version-check \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(TORCH))
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r $<
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo 'Antiphon needs Python 3.11 or newer; set PYTHON=/path/to/python.'; exit 1; }
	$(PYTHON) -m venv $(VENV)
