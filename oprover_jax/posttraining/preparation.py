"""Stages before training: corpus, warmup examples and tokenizer."""

import asyncio
import random
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from oprover_jax.agent.template import PHRASES, shown, shown_proof
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.evaluation.report import Growth
from oprover_jax.models.hf.export import tokenizer_files
from oprover_jax.posttraining.plan import Stage
from oprover_jax.posttraining.run_folder import write_atomic
from oprover_jax.posttraining.warmup_examples import FailedAttempt, failed_attempts
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import StageProgress


def corpus(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Build the synthetic corpus; the kernel checks all its proofs."""
    built = bench.theorems
    sizes = {"public": len(built.public), "pool": len(built.pool), "benchmark": len(built.benchmark)}
    start = Growth("public", len(built.public), len({record.statement.id for record in built.public}))
    return {**sizes, "growth": msgspec.to_builtins(start), "corpus": sizes | {"report": built.report}}


def warmup_examples(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Collect wrong proofs of public theorems with Lean's actual feedback, from which the first repairs are learned."""
    public, seed = bench.theorems.public, bench.experiment.seed
    tried = random.Random(seed).sample(public, min(bench.experiment.first_repairs, len(public)))
    failed = asyncio.run(failed_attempts(bench.verifier, bench.public_memory, tried, seed))
    write_atomic(bench.folder.stage(stage.name) / "failed_attempts.json", msgspec.json.encode(failed))
    return {"failed_attempts": len(failed), "verdicts": dict(Counter(bench.verifier.counts))}


def read_failed_attempts(bench: Workbench) -> list[FailedAttempt]:
    """Read the failed attempts of the warmup stage."""
    return msgspec.json.decode((bench.folder.stage("warmup") / "failed_attempts.json").read_bytes(), type=list[FailedAttempt])


def tokenizer(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Keep the tokenizer of the model that the run begins with, or train one.

    A byte-level BPE is trained on the public theorems, Lean's feedback and the statements of the pool, never on the benchmark.
    """
    policy, folder = bench.experiment.policy, bench.folder.stage(stage.name)
    if policy.init_from:
        source = Path(policy.init_from)
        for name, content in {**tokenizer_files(source), "config.json": (source / "config.json").read_bytes()}.items():
            write_atomic(folder / name, content)
        return {"vocabulary": bench.model.vocab_size}
    texts = [shown_proof(record.statement.formal, record.proof) for record in bench.theorems.public]
    texts += [shown(statement.formal) for statement in bench.theorems.pool]
    texts += ["\n".join(failed.feedback) for failed in read_failed_attempts(bench)]
    trained = train_tokenizer(texts, bench.model.vocab_size, PHRASES)
    trained.save(folder / "tokenizer.json")
    characters = sum(map(len, texts))
    return {"vocabulary": trained.vocab_size, "characters_per_token": characters / sum(len(trained.encode(text)) for text in texts)}


def library_sources() -> list[str]:
    """Return the Lean sources of the embedded core library, for CPT."""
    core = files("lean_worker") / "embedded" / "core"
    return [entry.read_text(encoding="utf-8") for entry in sorted(core.iterdir(), key=lambda e: e.name) if entry.name.endswith(".lean")]
