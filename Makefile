# `make demo` and `make test` are all that a newcomer needs: Python 3.11 or newer, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help demo test check format bench constraints clean

help:  ## Say what there is
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# The demo's bundle: EARSHOT_BUNDLE if set, else YAMNet's, made once from a local copy of the model if
# there is one beside the project, else from TF Hub.
SHARED := $(or $(EARSHOT_SHARED),../shared)
HANDLE := $(wildcard $(SHARED)/models/yamnet)
BUNDLE := $(or $(EARSHOT_BUNDLE),models/yamnet)

models/yamnet: $(INSTALLED)
	$(BIN)/trainer backbone $(HANDLE) --out $@

demo: $(INSTALLED) $(BUNDLE)  ## Hear a generated soundscape: real pipeline, real broker, no microphone
	$(BIN)/listener demo --bundle $(BUNDLE)

test: $(INSTALLED)  ## Run the tests
	$(BIN)/pytest

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

constraints: $(INSTALLED)  ## Write down the versions that are installed, after an update
	$(BIN)/pip freeze --exclude-editable | LC_ALL=C sort > constraints.txt

clean:  ## Forget the installation and every cache
	rm -rf $(VENV) build models *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
