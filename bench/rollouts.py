"""Rounds per second and memory of collecting and storing rollouts in one process, and of scoring them and selecting from them.

`StubEngine` and `StubLean` stand in for a policy and for Lean: they answer at once and know nothing. Prompt template, tokenizer, parsing,
feedback, retrieval memory, verification client, store, scores and selection are the real ones.
"""

import asyncio
import random
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path

import tyro
from common import report, seconds

from lean_worker.protocol import Check, Message, Verdict
from oprover_jax.agent.collect import Collection, collect
from oprover_jax.agent.refine import Prover, RefineConfig
from oprover_jax.agent.template import PHRASES, Budget, Template, answer_text
from oprover_jax.corpus import store
from oprover_jax.data.codec import codec_of
from oprover_jax.data.rollouts import scan
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.data.trajectories import read_examples
from oprover_jax.evaluation.evaluate import outcomes, score
from oprover_jax.evaluation.report_trajectories import examples
from oprover_jax.posttraining.select import SelectConfig, hard_states, sft_rounds
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval.encoder import LexicalEncoder
from oprover_jax.retrieval.memory import Memory
from oprover_jax.rollout.engine import Completion, Request
from oprover_jax.verify.verifier import Verifier

WORDS = ["add", "mul", "sub", "le", "lt", "succ", "zero", "one", "comm", "assoc", "left", "right", "cancel", "mono", "trans"]
ROUNDS = 2
ACCEPTED = 0.3  # share of the proofs that the stub accepts
LINES, LINES_RETRIEVED = 14, 28  # of an attempt and of a retrieved proof
KNOWN = 500  # proofs in the memory
STATES = 12_800  # hard states of a GSPO stage: 200 steps of 64


class StubEngine:
    """Stands in for a policy: returns some of the given answers at once."""

    def __init__(self, answers: Sequence[tuple[int, ...]]) -> None:
        self._answers = answers
        self._logprobs = tuple(-random.Random(0).random() for _ in range(max(map(len, answers))))

    async def generate(self, request: Request) -> list[Completion]:
        await asyncio.sleep(0)
        rng = random.Random(request.seed)
        chosen = rng.sample(self._answers, request.num_samples)
        return [Completion((*ids,), self._logprobs[: len(ids)], "stop", 1) for ids in chosen]


class StubLean:
    """Stands in for Lean: accepts a fixed share of the proofs and rejects the others with three errors, at once."""

    def submit(self, check: Check, *, retry: bool = True) -> "Future[Verdict]":
        answer: Future[Verdict] = Future()
        rng = random.Random(check.statement + check.proof)
        goal = "\n".join([*(f"h{n} : x{n} ≤ y{n}" for n in range(6)), "⊢ x + 1 ≤ y + 1"])
        text = "Type mismatch\n  Nat.le_trans h0 h1\nhas type\n  x0 ≤ y1 : Prop\nbut is expected to have type\n  x0 ≤ y0 : Prop"
        if rng.random() < ACCEPTED:
            answer.set_result(Verdict(check.id, True, "accepted", axioms=("propext",), seconds=0.1, lean="stub", library="stub"))
        else:
            errors = tuple(Message("error", line, 22, line, 40, text, goal) for line in sorted(rng.sample(range(2, 8), 3)))
            answer.set_result(Verdict(check.id, False, "error", errors, seconds=0.1, lean="stub", library="stub"))
        return answer


def statement(rng: random.Random, number: int) -> Statement:
    """Return a statement of about 150 tokens, without meaning."""
    hypotheses = " ".join(f"(h{n} : {rng.choice(WORDS)} x{n} ≤ {rng.choice(WORDS)} y{n})" for n in range(6))
    formal = f"theorem t{number} (x y : Nat) {hypotheses} : x + {number} ≤ y + {number} := by sorry"
    return Statement(f"{number:016x}", f"t{number}", formal, family=rng.choice(WORDS))


def tactics(rng: random.Random, lines: int) -> str:
    """Return a tactic block of so many lines, without meaning."""
    names = (f"Nat.{rng.choice(WORDS)}_{rng.choice(WORDS)} h{rng.randrange(9)}" for _ in range(lines))
    return "by\n" + "\n".join(f"  have h{n} : x{n} ≤ y{n} := {name}" for n, name in enumerate(names)) + "\n  exact h0"


def make_prover(rng: random.Random, known: Sequence[ProofRecord]) -> Prover:
    """Return a prover with stubs for the policy and for Lean, whose prompts have about 1,400 tokens."""
    texts = [answer_text(tactics(rng, LINES)) for _ in range(1000)]
    tokenizer = train_tokenizer([*texts[:100], *(record.statement.formal for record in known)], 360, PHRASES)
    answers = [(*tokenizer.encode_once(text), tokenizer.end_id) for text in texts]
    template = Template(codec_of(tokenizer), Budget(2000, statement=400, references=1300, attempt=400, feedback=400))
    return Prover(StubEngine(answers), Verifier(StubLean()), template)


def main(rounds: int = 200_000, num_samples: int = 8, in_flight: int = 512, folder: Path | None = None) -> None:
    """Measure a rollout stage of `rounds` rounds, and what training and evaluation then read of it.

    Args:
      rounds: Number of rounds, about.
      num_samples: Rollouts per statement, of up to two rounds each.
      in_flight: Rollouts in flight.
      folder: Where the rollouts are stored; by default a temporary folder that is removed.
    """
    rng = random.Random(0)
    known = [ProofRecord(statement(rng, 10**9 + n), tactics(rng, LINES_RETRIEVED), "stub", "stub", (), 0.1, "stub") for n in range(KNOWN)]
    statements = [statement(rng, number) for number in range(max(1, round(rounds / num_samples / (ROUNDS - ACCEPTED))))]
    memory = Memory(LexicalEncoder.fit([record.statement for record in known]))
    memory.add(known)
    prover = make_prover(rng, known)
    refine = RefineConfig(rounds=ROUNDS, retrieve=2, max_new_tokens=512)
    job = Collection(statements, num_samples, refine, "rollout-1", 0, in_flight)
    with tempfile.TemporaryDirectory() as scratch:
        where = folder or Path(scratch)
        began, cpu = time.perf_counter(), time.process_time()
        tally = asyncio.run(collect(prover, memory, job, partial(store.append, where, store.TRAJECTORIES), lambda _: None))
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        files = list(map(str, store.parts(where)))
        collected_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        lengths = [length for rollout in scan(files[:1]) for length in rollout.lengths]
        chosen = sft_rounds(files, replace(SelectConfig(), per_proof=rounds))
        figures = {
            "select_seconds": seconds(lambda: [None for _ in read_examples(files, chosen)]),
            "hard_states_seconds": seconds(lambda: hard_states(files, SelectConfig(), 0, STATES)),
            "score_seconds": seconds(lambda: score("bench", outcomes(scan(files)), len(statements), num_samples, 0.0, 0)),
            "report_seconds": seconds(lambda: examples(files)),
        }
        stored = sum(Path(file).stat().st_size for file in files)
    report(
        "rollouts",
        rounds=tally.attempts,
        prompt_tokens=sum(prompt for prompt, _ in lengths) / len(lengths),
        attempt_tokens=sum(attempt for _, attempt in lengths) / len(lengths),
        rounds_per_second=tally.attempts / took,
        rounds_per_cpu_second=tally.attempts / cpu,
        bytes_per_round=stored / tally.attempts,
        chosen=len(chosen),
        **figures,
        rss_gib_collect=collected_gib,
        rss_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        ratio_cpu_vs_wall=cpu / took,
    )


if __name__ == "__main__":
    tyro.cli(main)
