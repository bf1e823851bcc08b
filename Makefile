# Two commands: `make demo` and `make test`. Each does its own set-up from a fresh clone.

PYTHON ?= python3
RUN ?= runs/demo
SEED ?= 0
BIN := .venv/bin

.PHONY: demo test test-ray test-transformers test-wandb lint setup clean

# XLA's CPU backend takes and gives back hundreds of megabytes in every step; glibc is told to keep them (about 15% faster).
KEEP_MEMORY := GLIBC_TUNABLES=glibc.malloc.hugetlb=1 MALLOC_ARENA_MAX=1 MALLOC_TOP_PAD_=268435456 \
	MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184

demo: setup
	$(KEEP_MEMORY) $(BIN)/oprover iterate --config configs/demo.py --run $(RUN) --set seed=$(SEED)

test: setup lint
	$(BIN)/pytest

# Ray and W&B are heavy, so they are installed and tried only where they are asked for.
test-ray: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-ray.txt
	$(BIN)/pytest tests/lean_worker/ray_serve_under_load.py

test-wandb: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-wandb.txt
	$(BIN)/pytest tests/training/wandb_offline.py

# torch is heavier still, and only this test needs it; it gets an environment of its own.
test-transformers: setup .venv-transformers/ready
	$(BIN)/pytest -rP tests/models/hf/transformers_live.py

.venv-transformers/ready: requirements-transformers.txt
	$(PYTHON) -m venv .venv-transformers
	.venv-transformers/bin/python -m pip install --quiet -r requirements-transformers.txt
	touch $@

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
	rm -rf .venv .venv-transformers runs .pytest_cache .mypy_cache .ruff_cache
