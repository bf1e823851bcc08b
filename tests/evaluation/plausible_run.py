"""A run as it could have been: its figures are invented, for looking at the report page and testing it. Nothing here is a result."""

import math
import random
from typing import Any

import msgspec

from lean_worker.protocol import Message, Verdict
from oprover_jax.evaluation.evaluate import FamilyScore, Score
from oprover_jax.evaluation.report import Report
from oprover_jax.records import Round, Statement, Trajectory

STAGES = ("cpt", "sft", "iteration-1", "iteration-2", "iteration-3")
PASS_AT_8 = (0.062, 0.185, 0.286, 0.352, 0.404)


def score(name: str, pass_at_8: float, seconds: float = 41.0, statements: int = 240) -> Score:
    return Score(
        name=name,
        seconds=seconds,
        pass_at_1=pass_at_8 * 0.44,
        pass_at_8=pass_at_8,
        interval=(max(0.0, pass_at_8 - 0.048), pass_at_8 + 0.049),
        n=16,
        statements=statements,
        unread=0,
        first_round=pass_at_8 * 0.31,
        attempts=6120,
    )


def report() -> Report:
    families = {"nat order": 0.9, "lists": 0.7, "propositional": 1.3, "predicate": 0.8, "equality": 1.2, "induction (unseen depth)": 0.35}
    return Report(
        seed=7,
        seconds=1042.0,
        stages=[score(name, value) for name, value in zip(STAGES, PASS_AT_8)],
        ablations=[score("no feedback", 0.331), score("no retrieval", 0.298), score("neither", 0.251)],
        external=[score("after iteration-3", 0.048, 62.0, 457)],
        families=[FamilyScore(f, s, min(1.0, v * m), 40) for f, m in families.items() for s, v in zip(STAGES, PASS_AT_8)],
        corpus={
            "public": 2140,
            "pool": 6000,
            "benchmark": 240,
            "growth": [{"stage": s, "proofs": 2140 + 900 * i, "statements": 2140 + 610 * i} for i, s in enumerate(("sft", *STAGES[2:]))],
        },
        verdicts={"error": 31877, "accepted": 9120, "forbidden": 240, "axiom": 77, "timeout": 21},
    )


def metrics() -> list[dict[str, Any]]:
    rng, lines = random.Random(0), []
    for stage, steps, start, end in (
        ("cpt", 900, 7.2, 1.1),
        ("sft", 320, 1.5, 0.42),
        ("iteration-1/sft", 180, 0.55, 0.33),
        ("iteration-1/gspo", 40, 0.002, -0.012),
        ("iteration-2/sft", 180, 0.41, 0.28),
        ("iteration-2/gspo", 40, 0.001, -0.015),
    ):
        for step in range(1, steps + 1):
            loss = end + (start - end) * math.exp(-5 * step / steps) + rng.gauss(0, 0.04 * abs(start - end))
            lines.append({"stage": stage, "step": step, "loss": loss, "tokens_per_second": 6400 + rng.gauss(0, 90), "lr": 1e-3})
    return lines


def played(
    proof: str | None,
    kind: str,
    messages: tuple[Message, ...] = (),
    retrieved: tuple[str, ...] = (),
    feedback: str = "",
    axioms: tuple[str, ...] = (),
) -> Round:
    accepted = {"accepted": True, "timeout": None}.get(kind, False)
    verdict = Verdict(id="c", accepted=accepted, kind=kind, messages=messages, axioms=axioms, seconds=0.031, lean="4.30.0")
    return Round(
        prompt_ids=(1, 2, 3),
        attempt_ids=(4, 5, 6, 7),
        logprobs=(-0.1, -0.2, -0.3, -0.1),
        policy_version=12,
        finish_reason="stop",
        retrieved=retrieved,
        proof=proof,
        well_formed=proof is not None,
        verdict=None if proof is None else verdict,
        feedback=feedback,
        reward=None,
    )


def decode(ids: Any) -> str:
    return "Prove this theorem in Lean 4.\n" + " ".join(f"token{i}" for i in ids)


def trajectories() -> list[Trajectory]:
    swap = Statement(
        id="9f2c41aa77de", name="and_swap", family="propositional", formal="theorem and_swap (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry"
    )
    order = Statement(
        id="51e0b3aa92f1",
        name="le_add_of_le",
        family="nat order",
        formal="theorem le_add_of_le (a b c : Nat)\n    (h : a ≤ b) : a ≤ b + c := by sorry",
    )
    append = Statement(
        id="77aa0c12be55",
        name="length_append_comm",
        family="lists",
        formal="theorem length_append_comm (xs ys : List α) : (xs ++ ys).length = (ys ++ xs).length := by sorry",
    )
    mismatch = Message("error", 2, 9, 2, 12, "type mismatch\n  h.1\nhas type\n  p : Prop\nbut is expected to have type\n  q : Prop")
    unsolved = Message("error", 3, 2, 3, 7, "unsolved goals\na b c : Nat\nh : a ≤ b\n⊢ a ≤ b + c")
    unknown = Message("error", 1, 87, 1, 107, "unknown constant 'List.length_flip'")
    near = ("51e0b3aa92f1", "c3d8e1f2ab90")
    return [
        Trajectory(
            append, 2, "sft", (played("by rfl", "error", (Message("error", 1, 88, 1, 91, "the equality does not hold by definition"),)),)
        ),
        Trajectory(
            append,
            3,
            "iteration-3",
            (
                played("by rw [List.length_flip]", "error", (unknown,), near),
                played("by\n  induction xs\n  omega", "timeout", retrieved=near),
            ),
        ),
        Trajectory(
            msgspec.structs.replace(
                append, id="0c55e7", name="reverse_nil", formal="theorem reverse_nil : ([] : List α).reverse = [] := by sorry"
            ),
            0,
            "iteration-2",
            (played(None, "error", feedback="The answer holds no complete code block."), played("by simp", "error", (unknown,))),
        ),
        Trajectory(order, 0, "iteration-3", (played("by omega", "accepted", axioms=("propext", "Quot.sound")),)),
        Trajectory(
            order,
            5,
            "iteration-3",
            (
                played("by\n  simp", "error", (unsolved,), near),
                played("Nat.le_trans h (Nat.le_add_right b c)", "accepted", retrieved=near, axioms=("propext",)),
            ),
        ),
        Trajectory(
            swap,
            1,
            "iteration-3",
            (
                played("by\n  exact ⟨h.1, h.2⟩", "error", (mismatch,), near),
                played("by\n  exact ⟨h.2, h.1⟩", "accepted", retrieved=near),
            ),
        ),
    ]
