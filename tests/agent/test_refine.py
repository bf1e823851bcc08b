"""The refinement loop over the real kernel. The policy is a script: what is tested is what the loop does with its words."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import Check, Kind, Verdict
from oprover_jax.agent.collect import Collection, Tally, collect
from oprover_jax.agent.refine import Prover, RefineConfig, prove
from oprover_jax.agent.template import PHRASES, Budget, Template, answer_text
from oprover_jax.data.codec import codec_of
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.errors import LeanAway
from oprover_jax.records import ProofRecord, Provenance, Statement, Trajectory
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


PLAIN = RefineConfig(rounds=1, retrieve=0)
NOTHING = Memory(LexicalEncoder.fit([]))
NUMBERED = [Statement(f"n{n}", f"n{n}", f"theorem n{n} (p q : Prop) (h : p ∧ q) : q ∧ p ∧ {n} = {n} := by sorry") for n in range(6)]


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

    wanted = Collection([SWAP], 2, PLAIN, "rollout", 0, flush_seconds=0.0)
    prover = Prover(ScriptedEngine(lambda *_: answer_text(RIGHT)), verifier, TEMPLATE)
    with pytest.raises(OSError, match="went away"):
        asyncio.run(collect(prover, NOTHING, wanted, sink, lambda _: None))
    assert [t.sample for t in kept] == [0, 1]


class FaultyLean:
    """The real pool, which says nothing of a statement whose name `lost` has: the check ends with the kind given there."""

    def __init__(self, pool: Pool, lost: dict[str, Kind]) -> None:
        self.pool, self.lost, self.asked, self.in_flight, self.most = pool, lost, 0, 0, 0

    def submit(self, check: Check, *, retry: bool = True) -> "Future[Verdict]":
        kind = next((kind for name, kind in self.lost.items() if f"theorem {name} " in check.statement), None)
        self.asked += check.id != "probe"
        if kind is None:
            return self.pool.submit(check)
        gone: Future[Verdict] = Future()
        gone.set_result(Verdict(check.id, None, kind))
        return gone


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1) as pool:
        yield pool


def test_when_lean_stays_away_the_finished_are_stored_and_the_rest_is_counted(pool: Pool) -> None:
    kept, lean = list[Trajectory](), FaultyLean(pool, {"n3": "unavailable"})
    engine = ScriptedEngine(lambda *_: answer_text(RIGHT))
    prover = Prover(engine, Verifier(lean, patience=0.1), TEMPLATE)
    wanted = Collection(NUMBERED, 2, PLAIN, "rollout", 0, in_flight=2)
    said = r"^Lean gave no verdict within 0\.1 s; 3 of 6 statements are left, and the same command resumes with them once Lean is back$"
    with pytest.raises(LeanAway, match=said):
        asyncio.run(collect(prover, NOTHING, wanted, kept.extend, lambda _: None))
    assert [(t.statement.id, t.sample) for t in kept] == [(f"n{n}", sample) for n in range(3) for sample in range(2)]
    assert all(t.accepted is not None for t in kept)


def test_a_statement_waits_for_lean_and_nothing_is_sampled_again(pool: Pool) -> None:
    lean = FaultyLean(pool, {"n0": "unavailable"})
    engine = ScriptedEngine(lambda *_: answer_text(WRONG))
    prover = Prover(engine, Verifier(lean, patience=60.0), TEMPLATE)
    kept = list[Trajectory]()
    came_back = threading.Timer(0.5, lean.lost.clear)
    came_back.start()
    asyncio.run(collect(prover, NOTHING, Collection(NUMBERED[:2], 2, PLAIN, "rollout", 0), kept.extend, lambda _: None))
    assert [t.accepted for t in kept] == [False] * 4 and len(engine.requests) == 2 and lean.asked > 2


@pytest.mark.parametrize(("kind", "times"), [("timeout", 2), ("crash", 3), ("unreadable", 1)])
def test_a_proof_that_lean_cannot_finish_or_read_is_a_failed_attempt(pool: Pool, kind: Kind, times: int) -> None:
    lean = FaultyLean(pool, {"swap": kind})
    [trajectory], engine = run(Verifier(lean), lambda *_: answer_text(WRONG), RefineConfig(rounds=2), samples=1)
    assert trajectory.accepted is False and [r.accepted for r in trajectory.rounds] == [False, False]
    assert [(r.reward, r.verdict and r.verdict.kind) for r in trajectory.rounds] == [(0.0, kind)] * 2
    assert f"({kind})" in TOKENIZER.decode(engine.requests[1].prompt_ids) and lean.asked == times


def test_no_more_is_in_flight_than_is_set(verifier: Verifier) -> None:
    class Counting(ScriptedEngine):
        here = most = 0

        async def generate(self, request: Request) -> list[Completion]:
            self.here += request.num_samples
            self.most = max(self.most, self.here)
            await asyncio.sleep(0.01)
            self.here -= request.num_samples
            return await super().generate(request)

    for in_flight, most in ((1, 2), (4, 4), (100, 12)):
        engine, kept = Counting(lambda *_: answer_text(WRONG)), list[Trajectory]()
        wanted = Collection(NUMBERED, 2, PLAIN, "rollout", 0, in_flight=in_flight)
        asyncio.run(collect(Prover(engine, verifier, TEMPLATE), NOTHING, wanted, kept.extend, lambda _: None))
        assert engine.most == most and len(kept) == 12
    with pytest.raises(ValueError, match="in_flight is 0"):
        Collection(NUMBERED, 2, PLAIN, "rollout", 0, in_flight=0)


def test_what_is_finished_is_stored_off_the_event_loop_one_batch_at_a_time(verifier: Verifier) -> None:
    threads, inside, kept = set[int](), list[int](), list[Trajectory]()

    def sink(batch: Sequence[Trajectory]) -> None:
        inside.append(1)
        assert len(inside) == 1, "two writes at once"
        threads.add(threading.get_ident())
        kept.extend(batch)
        inside.clear()

    prover = Prover(ScriptedEngine(lambda *_: answer_text(WRONG)), verifier, TEMPLATE)
    tally = asyncio.run(collect(prover, NOTHING, Collection(NUMBERED, 2, PLAIN, "rollout", 0, flush_seconds=0.0), sink, lambda _: None))
    assert tally.statements == 6 and len(kept) == 12 and threading.get_ident() not in threads


def test_stages_draw_other_samples_and_say_how(verifier: Verifier) -> None:
    seeds, provenance = [], set()
    for stage in ("rollout-1", "rollout-2", "rollout-1"):
        engine = ScriptedEngine(lambda *_: answer_text(WRONG))
        config = RefineConfig(rounds=2, retrieve=0, temperature=0.7, max_new_tokens=99)
        found = asyncio.run(prove(Prover(engine, verifier, TEMPLATE), SWAP, [], 2, config, stage, seed=0))
        seeds.append([request.seed for request in engine.requests])
        provenance |= {t.provenance for t in found}
    assert seeds[0] == seeds[2] and not set(seeds[0]) & set(seeds[1])
    assert provenance == {Provenance(TOKENIZER.hash, 0.7, 1.0, 99)}
