# `make demo` and `make test` are all a newcomer needs: each makes .venv by itself, with python3, pip and git only.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE :=
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint bench docs clean interop

demo: $(VENV)/.demo
	@$(BIN)/ob demo --run demo-project

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto $(TESTS)

interop: $(VENV)/.test
	$(BIN)/python -m pytest -m interop $(TESTS)

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.demo
	$(BIN)/python bench/run.py

docs: $(VENV)/.test
	$(BIN)/python docs/build.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/.demo

$(VENV)/.lint: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,lint]'
	@touch $@

clean:
	rm -rf $(VENV) demo-project .mypy_cache .ruff_cache .pytest_cache .hypothesis
