"""The refinement loop over the real kernel. The policy is a script: what is tested is what the loop does with its words."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest

from lean_worker.pool import Pool
from oprover_jax.agent.collect import Collection, Tally, collect
from oprover_jax.agent.refine import Prover, RefineConfig, prove
from oprover_jax.agent.template import PHRASES, Budget, Template, answer_text
from oprover_jax.data.codec import codec_of
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.records import ProofRecord, Statement, Trajectory
from oprover_jax.retrieval.encoder import LexicalEncoder
from oprover_jax.retrieval.memory import Memory
from oprover_jax.rollout.engine import Completion, Request
from oprover_jax.statements.normalize import statement_id
from oprover_jax.verify.verifier import Verifier

pytestmark = pytest.mark.lean

FORMAL = "theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry"
SWAP = Statement(statement_id(FORMAL), "swap", FORMAL)
WRONG, RIGHT = "by exact h", "by exact ⟨h.2, h.1⟩"
TOKENIZER = train_tokenizer([FORMAL, answer_text(RIGHT)] * 5, 420, PHRASES)
TEMPLATE = Template(codec_of(TOKENIZER), Budget(1024, 256, 256, 256, 256))


class ScriptedEngine:
    """Stands in for a policy: answers each request by a rule on (prompt text, sample) and keeps what it was asked."""

    def __init__(self, rule: Callable[[str, int], str]) -> None:
        self.rule, self.requests = rule, list[Request]()

    async def generate(self, request: Request) -> list[Completion]:
        self.requests.append(request)
        await asyncio.sleep(0)
        prompt = TOKENIZER.decode(request.prompt_ids)
        answers = [(*TOKENIZER.encode(self.rule(prompt, i)), TOKENIZER.end_id) for i in range(request.num_samples)]
        return [Completion(ids, (-1.0,) * len(ids), "stop", 7) for ids in answers]


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Pool(workers=1) as pool:
        yield Verifier(pool)


def run(
    verifier: Verifier, rule: Callable[[str, int], str], config: RefineConfig, samples: int = 2
) -> tuple[list[Trajectory], ScriptedEngine]:
    engine = ScriptedEngine(rule)
    return asyncio.run(prove(Prover(engine, verifier, TEMPLATE), SWAP, [], samples, config, "test", seed=0)), engine


def learns(prompt: str, sample: int) -> str:
    """Right at once in sample 0; else right only after it has seen Lean's answer to the wrong attempt."""
    return answer_text(RIGHT if (sample == 0 and "mismatch" in prompt) or "Type mismatch" in prompt else WRONG)


def test_a_rejected_attempt_comes_back_with_lean_s_answer(verifier: Verifier) -> None:
    trajectories, engine = run(verifier, learns, RefineConfig(rounds=3))
    for trajectory in trajectories:
        first, second = trajectory.rounds
        assert trajectory.accepted is True and first.verdict is not None and first.verdict.kind == "error"
        text = TOKENIZER.decode(second.prompt_ids)
        assert WRONG in text and "Type mismatch" in text and text.count("(none)") == 1
        assert (first.reward, second.reward) == (0.0, 1.0)
        assert TOKENIZER.decode(second.attempt_ids) == answer_text(RIGHT) and second.policy_version == 7
    assert [request.num_samples for request in engine.requests] == [2, 1, 1]
    assert len({request.seed for request in engine.requests}) == 3


def test_without_feedback_every_round_starts_afresh(verifier: Verifier) -> None:
    trajectories, engine = run(verifier, learns, RefineConfig(rounds=3, feedback="none"))
    assert [t.accepted for t in trajectories] == [False, False] and all(len(t.rounds) == 3 for t in trajectories)
    assert len({request.prompt_ids for request in engine.requests}) == 1
    assert len({request.seed for request in engine.requests}) == len(engine.requests)


def test_the_policy_cannot_change_the_target(verifier: Verifier) -> None:
    restated = "Plan: exact\n```lean4\ntheorem swap (p q : Prop) (h : p ∧ q) : p ∧ q := by exact h\n```"
    [trajectory], _ = run(verifier, lambda *_: restated, RefineConfig(rounds=1), samples=1)
    assert trajectory.accepted is False and trajectory.rounds[0].proof == restated.split("\n")[2]


@pytest.mark.parametrize("name", ["swap", "goal"])
def test_helper_lemmas_are_permitted(verifier: Verifier, name: str) -> None:
    helper = "theorem right_of (p q : Prop) (h : p ∧ q) : q := h.2\n\n"
    whole = f"{helper}theorem {name} (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨right_of p q h, h.1⟩"
    [trajectory], _ = run(verifier, lambda *_: answer_text(whole), RefineConfig(rounds=1), samples=1)
    assert trajectory.accepted is True and trajectory.rounds[0].reward == 1.0
    assert trajectory.rounds[0].proof == whole.replace("goal", "swap")


@pytest.mark.parametrize(
    "text", ["no code at all", "Plan: x\n```lean4\nby sorry\n```", "Plan: x\n```lean4\nby simp\ntheorem x : True := trivial\n```"]
)
def test_nothing_else_is_paid(verifier: Verifier, text: str) -> None:
    [trajectory], _ = run(verifier, lambda *_: text, RefineConfig(rounds=1), samples=1)
    assert trajectory.accepted is False and trajectory.rounds[0].reward == 0.0 and trajectory.rounds[0].feedback


def test_bad_form_earns_less_than_good_form(verifier: Verifier) -> None:
    [trajectory], _ = run(verifier, lambda *_: f"```lean4\n{RIGHT}\n```", RefineConfig(rounds=1), samples=1)
    assert trajectory.accepted is True and trajectory.rounds[0].reward == 0.8


def test_collection_hands_over_whole_statements_and_retrieves_neighbours_only(verifier: Verifier) -> None:
    other = "theorem turn (a b : Prop) (h : a ∨ b) : b ∨ a := by sorry"
    known = [Statement(statement_id(other), "turn", other), SWAP]
    memory = Memory(LexicalEncoder.fit(known))
    memory.add([ProofRecord(s, RIGHT, "4", "lib", (), 0.0, "test") for s in known])
    engine, kept, seen = ScriptedEngine(lambda *_: answer_text(RIGHT)), list[Trajectory](), list[int]()
    wanted = Collection(known, 3, RefineConfig(rounds=2, retrieve=2), "rollout", 0)

    def show(tally: Tally) -> None:
        seen.append(tally.trajectories)

    tally = asyncio.run(collect(Prover(engine, verifier, TEMPLATE), memory, wanted, kept.extend, show))
    assert (tally.statements, tally.trajectories, tally.accepted) == (2, 6, 3) and seen[-1] == 6
    swap = [t for t in kept if t.statement == SWAP]
    assert [t.sample for t in swap] == [0, 1, 2] and all(t.accepted for t in swap)
    assert {r.retrieved for t in swap for r in t.rounds} == {(known[0].id,)}
    assert all(f"{RIGHT}\n" in TOKENIZER.decode(r.prompt_ids) for t in swap for r in t.rounds)


def test_a_sink_that_stored_and_then_failed_is_not_given_the_same_again(verifier: Verifier) -> None:
    kept = list[Trajectory]()

    def sink(batch: Sequence[Trajectory]) -> None:
        kept.extend(batch)
        raise OSError("the disk went away")

    wanted = Collection([SWAP], 2, RefineConfig(rounds=1, retrieve=0), "rollout", 0, flush_seconds=0.0)
    prover = Prover(ScriptedEngine(lambda *_: answer_text(RIGHT)), verifier, TEMPLATE)
    with pytest.raises(OSError, match="went away"):
        asyncio.run(collect(prover, Memory(LexicalEncoder.fit([])), wanted, sink, lambda _: None))
    assert [t.sample for t in kept] == [0, 1]
