# Two commands: `make serve` and `make test`. Everything that they need is installed into $(VENV).

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
# The set of dependencies: `default` serves and stays light, `all` brings every engine, `dev` is for the tests.
SET := $(if $(ALL),all,default)
# GPU=1 also brings the CUDA library that CTranslate2 needs; this is the default where the NVIDIA driver is seen.
GPU ?= $(if $(wildcard /dev/nvidiactl /dev/dxg),1,0)
# OTEL=1 also brings what sends traces to an OpenTelemetry collector (`tracing.endpoint`).
OTEL ?= 0
# RAY=1 also brings Ray Serve, for models on several machines (`runtime.placement = "ray"`, experimental).
RAY ?= 0
# PyTorch's wheels are not locked by hash, because every machine wants its own build: this version is pinned for CPUs.
# TORCH_INDEX=https://download.pytorch.org/whl/cpu spares a Linux machine without a GPU the CUDA libraries.
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
TWO := -n 2 --dist loadfile --no-loadscope-reorder
NO_BROWSER := --ignore tests/studio/browser

# Compiled files are written whatever the user's environment says: without them, the tests compile everything again in each process.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help serve install test check unit bench-gpu format style lint types arrows pytest image-test bundle audit hooks lock vendor slim clean

help: ## Show this help
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

serve: install ## Install, fetch the weights, migrate the database, serve on http://127.0.0.1:8000/v1
	$(BIN)/antiphon serve --prepare

install: $(VENV)/.installed-$(SET) $(if $(filter 1,$(GPU)),$(VENV)/.installed-gpu) $(if $(filter 1,$(OTEL)),$(VENV)/.installed-otel) $(if $(filter 1,$(RAY)),$(VENV)/.installed-ray) ## Install what serving needs (ALL=1: every engine; GPU=1: CUDA, by itself where there is a driver; OTEL=1: traces; RAY=1: Ray)

test: $(VENV)/.installed-dev ## Install what the tests need and pass all of them, with real models (about 25 minutes on two cores)
	$(BIN)/antiphon models pull
	$(MAKE) --no-print-directory style lint types arrows pytest

check: $(VENV)/.installed-dev style lint types arrows unit ## All checks that need no weights and no network

unit: $(VENV)/.installed-dev ## Tests that need no weights, no network and no PostgreSQL (less than a minute on two cores)
	$(BIN)/python -m pytest -m 'not real and not slow' $(TWO) --no-cov -q tests

format: $(VENV)/.installed-dev ## Format the code and correct what the linter can correct
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

style: ## Check the format
	$(BIN)/ruff format --check

lint: ## Check with the linters, of Python and of the Dockerfile
	$(BIN)/ruff check
	$(BIN)/hadolint Dockerfile

types: ## Check the types
	$(BIN)/mypy

arrows: ## Check the imports between the packages
	$(BIN)/lint-imports

# Two workers; `--no-loadscope-reorder` because tests/conftest.py says which files come first. Coverage makes a test twice as slow.
# A failed test has a second try, because many wait for sockets and processes of a shared machine. The summary names each that needed it.
pytest: ## Run every test: first with branch coverage; then servers that take long and real models; then the browser
	$(BIN)/python -m pytest -m covered --reruns 1 $(TWO) --cov --cov-report=term:skip-covered $(NO_BROWSER)
	$(BIN)/python -m pytest -m 'not covered' --reruns 1 $(TWO) --durations=15 $(NO_BROWSER)
	$(BIN)/python -m pytest tests/studio/browser --reruns 1 $(TWO) --durations=10

image-test: $(VENV)/.installed-dev ## Build the image, run it confined, transcribe and speak in it (root; buildah, bubblewrap, mmdebstrap, uidmap)
	$(BIN)/antiphon models pull
	$(BIN)/python -m deploy.image_test $(STEPS)

bench-gpu: $(VENV)/.installed-dev $(VENV)/.installed-gpu ## Measure an NVIDIA GPU, beside plain faster-whisper (ten minutes)
	$(BIN)/antiphon models pull
	$(BIN)/python -m bench.bench_gpu

bundle: $(VENV)/.installed-$(SET) ## Make one folder that installs Antiphon without a network (BUNDLE=folder)
	$(BIN)/antiphon models pull
	$(BIN)/python -m deploy.bundle $(or $(BUNDLE),dist/antiphon-bundle)

audit: $(VENV)/.installed-dev ## Look up known vulnerabilities of the locked versions (asks pypi.org)
	$(BIN)/python -m tests.audit

hooks: $(VENV)/.installed-dev ## Format and lint before each of your commits
	$(BIN)/pre-commit install

lock: $(VENV)/.installed-dev ## Resolve the dependencies of pyproject.toml anew
	for set in default all dev; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
			--no-emit-package torch --constraint requirements/cpu.in \
			--custom-compile-command 'make lock' --extra $$set --output-file requirements/$$set.txt \
			pyproject.toml requirements/build.in || exit 1; done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command 'make lock' --output-file requirements/gpu.txt requirements/gpu.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--constraint requirements/default.txt \
		--custom-compile-command 'make lock' --output-file requirements/otel.txt requirements/otel.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--constraint requirements/default.txt \
		--custom-compile-command 'make lock' --output-file requirements/ray.txt requirements/ray.in

vendor: $(VENV)/.installed-dev ## Fetch the pinned libraries of the page anew (asks the network)
	$(BIN)/python -m tests.studio.vendor

slim: ## Take out of the environment what only its installation and other projects' tests need (for images)
	find $(VENV)/lib/*/site-packages/numpy $(VENV)/lib/*/site-packages/scipy -type d -name tests -prune -exec rm -r {} +
	rm -r $(VENV)/lib/*/site-packages/onnx/backend/test
	$(BIN)/python -m pip uninstall --yes --quiet hatchling editables pathspec pluggy trove-classifiers setuptools pip
	$(BIN)/python -m compileall -q app engines migrations

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
