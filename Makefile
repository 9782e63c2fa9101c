# Everything a newcomer needs: `make demo` and `make test` make the environment themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
# Two torch threads on a busy machine are slower than one.
export OMP_NUM_THREADS ?= 1

.PHONY: setup demo demo-train test slow check bench studies mutants docs clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[train,dev]'
	touch $@

demo: setup
	$(BIN)/python -m posekit.studies.demo

demo-train: setup
	$(BIN)/python -m posekit.studies.demo_train

test: setup
	$(BIN)/python -m pytest -n 2

slow: setup
	$(BIN)/python -m pytest -m slow

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks.run

# Every study in its small form, about ten minutes on two cores.
studies: setup
	$(BIN)/posekit study all --quick

mutants: setup
	$(BIN)/python -m benchmarks.mutants

docs: setup
	$(BIN)/python docs/build.py

clean:
	rm -rf $(VENV) runs demo build dist
