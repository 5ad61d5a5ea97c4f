# `make demo` and `make test` are all that a newcomer needs. Requires Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.demo
INSTALLED := $(VENV)/.installed
# MediaPipe's requirements conflict with this project's, so it has an environment of its own
MEDIAPIPE := .venv-mediapipe
# MLServer pins its packages and needs Python 3.12 or older; without it the tests of the remote engine are skipped
MLSERVER := .venv-mlserver
# Test processes: many tests wait for audio in real time, so use one more than two cores
WORKERS ?= 3

.PHONY: help demo test check format bench peers mlserver soak constraints fuzz docs debian clean

help:  ## List the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

PIP_INSTALL = $(PYTHON) -m venv $(VENV) && \
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# The demo needs little: no TensorFlow, no model to download.
$(DEMO): pyproject.toml constraints.txt
	$(PIP_INSTALL) '.[broker]'
	touch $@

$(INSTALLED): pyproject.toml constraints.txt
	$(PIP_INSTALL) '.[dev]'
	touch $@ $(DEMO)

demo: $(DEMO)  ## Analyse a generated soundscape: real pipeline, real broker, no microphone
	$(BIN)/listener demo

test: $(INSTALLED)  ## Run the tests
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(COVERAGE)

check: $(INSTALLED)  ## Run what must pass before a change is merged
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test COVERAGE='--cov=listener --cov=trainer --cov-report='
	@echo "lines covered in the tests' own processes: $$($(BIN)/coverage report --format=total) %"

format: $(INSTALLED)  ## Format the code and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)  ## Measure cost and latency, compared with the bare engine and TensorFlow Hub
	$(BIN)/python -m benchmarks

$(MEDIAPIPE)/.installed:
	$(PYTHON) -m venv $(MEDIAPIPE)
	$(MEDIAPIPE)/bin/pip install --quiet --disable-pip-version-check 'mediapipe>=1.2'
	touch $@

peers: $(INSTALLED) $(MEDIAPIPE)/.installed  ## Compare a station with TensorFlow Hub, a TFLite loop and MediaPipe
	$(BIN)/python -m benchmarks peers

$(MLSERVER)/.installed: tests/rigs/mlserver.txt
	$(PYTHON) -m venv $(MLSERVER)
	$(MLSERVER)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

mlserver: $(MLSERVER)/.installed  ## Install the model server that tests and benchmarks of the remote engine use

soak: $(INSTALLED)  ## Run a station over 100 000 patches and check that it does not leak
	$(BIN)/python -m benchmarks.soak

constraints: $(INSTALLED)  ## Pin the installed versions, after an update
	$(BIN)/pip freeze --exclude-editable | LC_ALL=C sort > constraints.txt

fuzz: $(INSTALLED)  ## Fuzz every kind of input, a minute each
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz

docs: $(INSTALLED)  ## Regenerate the page on the configuration and the pictures of the review page
	$(BIN)/python -m tests.documentation.configuration_page
	$(BIN)/python -m tests.documentation.rooms
	$(BIN)/python -m tests.documentation.pictures

debian:  ## Run the demo and the tests on fresh Debian 12 and 13: as root, with debootstrap
	tests/debian.sh

clean:  ## Delete the installation and every cache
	rm -rf $(VENV) $(MEDIAPIPE) $(MLSERVER) build models *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
