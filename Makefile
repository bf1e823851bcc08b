# Two commands: `make demo` and `make test`. Each does its own set-up from a fresh clone.

PYTHON ?= python3
RUN ?= runs/demo
SEED ?= 0
BIN := .venv/bin

.PHONY: demo test lint setup clean

demo: setup
	$(BIN)/oprover iterate --config configs/demo.py --run $(RUN) --set seed=$(SEED)

test: setup lint
	$(BIN)/pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p oprover_jax -p lean_worker

setup: .venv/ready

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv==$(shell sed -n 's/^uv==//p' requirements.txt)
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	$(BIN)/lean-worker build
	touch $@

clean:
	rm -rf .venv runs .pytest_cache .mypy_cache .ruff_cache
