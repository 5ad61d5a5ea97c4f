# `make demo` and `make test` are all that a newcomer needs: Python 3.11 or newer, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.demo
INSTALLED := $(VENV)/.installed
# What MediaPipe asks for and what this project does differ, so it has an environment of its own
MEDIAPIPE := .venv-mediapipe
# MLServer pins packages of its own and needs Python 3.12 or older; without it tests of the remote engine skip
MLSERVER := .venv-mlserver
# Of the tests: many wait for the real time of sound, so one more than two cores
WORKERS ?= 3

.PHONY: help demo test check format bench peers mlserver soak constraints fuzz docs debian clean

help:  ## Say what there is
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

demo: $(DEMO)  ## Hear a generated soundscape: real pipeline, real broker, no microphone
	$(BIN)/listener demo

test: $(INSTALLED)  ## Run the tests
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

check: $(INSTALLED)  ## What must pass before a change lands
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test

format: $(INSTALLED)  ## Bring the code into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)  ## Measure cost and latency beside the bare engine and TensorFlow Hub
	$(BIN)/python -m benchmarks

$(MEDIAPIPE)/.installed:
	$(PYTHON) -m venv $(MEDIAPIPE)
	$(MEDIAPIPE)/bin/pip install --quiet --disable-pip-version-check 'mediapipe>=1.2'
	touch $@

peers: $(INSTALLED) $(MEDIAPIPE)/.installed  ## Measure a station beside TensorFlow Hub, a TFLite loop and MediaPipe
	$(BIN)/python -m benchmarks peers

$(MLSERVER)/.installed: tests/rigs/mlserver.txt
	$(PYTHON) -m venv $(MLSERVER)
	$(MLSERVER)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

mlserver: $(MLSERVER)/.installed  ## Install the model server that tests and benchmarks of the remote engine use

soak: $(INSTALLED)  ## Hear 100 000 patches at many times the speed of time: does the station grow?
	$(BIN)/python -m benchmarks.soak

constraints: $(INSTALLED)  ## Write down the versions that are installed, after an update
	$(BIN)/pip freeze --exclude-editable | LC_ALL=C sort > constraints.txt

fuzz: $(INSTALLED)  ## Look for inputs that break something, a minute for each door
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz

docs: $(INSTALLED)  ## Make the page on the configuration and the pictures of the review page again
	$(BIN)/python -m tests.documentation.configuration_page
	$(BIN)/python -m tests.documentation.rooms
	$(BIN)/python -m tests.documentation.pictures

debian:  ## Run the demo and the tests on fresh Debian 12 and 13: as root, with debootstrap
	tests/debian.sh

clean:  ## Forget the installation and every cache
	rm -rf $(VENV) $(MEDIAPIPE) $(MLSERVER) build models *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
