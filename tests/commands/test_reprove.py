"""`oprover corpus reprove`: a scripted policy over the real kernel, stopped and gone on with; and a real run, from the command line."""

import asyncio
import dataclasses
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console
from start import start

from lean_worker.pool import Pool
from oprover_jax.agent.refine import RefineConfig
from oprover_jax.agent.template import PHRASES, Budget, Template, answer_text
from oprover_jax.commands.add_run import add_run, new_rows
from oprover_jax.commands.reprove import Agent, ReproveConfig, reprove
from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.corpus.tables import TABLES, rows_to_table, statement_row
from oprover_jax.data.codec import codec_of
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.posttraining.run_folder import open_run
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval.encoder import LexicalEncoder
from oprover_jax.retrieval.memory import Memory
from oprover_jax.rollout.engine import Completion, Request
from oprover_jax.statements.normalize import statement_id

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

QUIET = ProgressConsole(Console(quiet=True))


def _stated(name: str, goal: str, header: str = "") -> Statement:
    formal = f"theorem {name} {goal} := by sorry"
    return Statement(statement_id(formal, header), name, formal, header, source="mini", licence="MIT")


EASY = [_stated(f"easy{n}", f"(a b : Nat) (h : a = b + {n}) : b + {n} = a") for n in range(6)]
FALSE = [_stated(f"false{n}", f"(a : Nat) : a = {n}") for n in range(2)]
SEEN = _stated("seen", "(p : Prop) (h : p) : p")
BARRED = _stated("barred", "(p q : Prop) (h : p) (k : q) : q ∧ p")
ELSEWHERE = _stated("elsewhere", "(x : ℝ) : x = x", "import Mathlib")
LONG = _stated("long", "(a : Nat) (h : " + " ∧ ".join(f"a = {n}" for n in range(80)) + ") : a = 0")
PROVED = ProofRecord(SEEN, "by exact h", "4", "core", (), 0.1, "generated")
WRONG, RIGHT = "by exact h", "by exact h.symm"
TOKENIZER = train_tokenizer([EASY[0].formal, answer_text(RIGHT)] * 5, 420, PHRASES)
TEMPLATE = Template(codec_of(TOKENIZER), Budget(1024, 256, 256, 256, 256))


class ScriptedPolicy:
    """Stands in for a policy: wrong first, right once it reads Lean's answer; calls `before` with the prompt of each request."""

    def __init__(self, before: Callable[[str], None] = lambda _: None) -> None:
        self.before, self.seeds = before, list[int]()

    async def generate(self, request: Request) -> list[Completion]:
        prompt = TOKENIZER.decode(request.prompt_ids)
        self.before(prompt)
        self.seeds.append(request.seed)
        await asyncio.sleep(0)
        ids = (*TOKENIZER.encode(answer_text(RIGHT if "mismatch" in prompt else WRONG)), TOKENIZER.end_id)
        return [Completion(ids, (-1.0,) * len(ids), "stop", 7)] * request.num_samples


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1) as pool:
        yield pool


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    corpus = open_corpus(tmp_path / "corpus", create=True)
    statements = [*EASY, *FALSE, BARRED, ELSEWHERE, LONG]
    corpus.commit(new_rows(corpus, "public", statements, [PROVED]), {})
    return corpus


def agent(pool: Pool, policy: ScriptedPolicy) -> Agent:
    memory = Memory(LexicalEncoder.fit([SEEN, *EASY]))
    memory.add([PROVED])
    return Agent("run", policy, pool, TEMPLATE, memory, RefineConfig(rounds=2, retrieve=1))


def tries(corpus: Corpus) -> Counter[str]:
    return Counter(trajectory.statement.name for trajectory in corpus.trajectories())


def test_proofs_repairs_and_failures_are_kept_and_the_rest_is_counted(corpus: Corpus, pool: Pool) -> None:
    working = agent(pool, ScriptedPolicy())
    found = reprove(corpus, working, [BARRED], ReproveConfig(num_samples=2, batch=3), QUIET)
    assert (found.tried, found.proved, found.proofs) == (8, 6, 6) and (found.held_out, found.too_long, found.not_here) == (1, 1, 1)
    assert tries(corpus) == Counter({s.name: 2 for s in [*EASY, *FALSE]})
    new = {proof.statement: proof for proof in corpus.proofs() if proof.origin == "run/reprove"}
    assert set(new) == set(EASY) and all(p.proof == RIGHT and p.lean and p.verified_at for p in new.values())
    for trajectory in corpus.trajectories():
        first, second = trajectory.rounds
        assert first.retrieved and first.feedback and first.verdict is not None and first.verdict.accepted is False
        assert trajectory.accepted is (trajectory.statement in EASY) and second.policy_version == 7
    assert len(working.memory) == 7
    rows = corpus.dataset("trajectories").to_table(columns=["run", "source"]).to_pylist()
    assert {(row["run"], row["source"]) for row in rows} == {("run", "mini")}


def test_stopped_at_work_it_goes_on_and_asked_for_more_it_draws_anew(corpus: Corpus, pool: Pool) -> None:
    asked = Counter[str]()

    def stop(prompt: str) -> None:
        asked["requests"] += 1
        if asked["requests"] > 10:  # the first batch takes 9
            signal.raise_signal(signal.SIGINT)

    config = ReproveConfig(num_samples=2, batch=3)
    with pytest.raises(KeyboardInterrupt):
        reprove(corpus, agent(pool, ScriptedPolicy(stop)), [BARRED], config, QUIET)
    kept = tries(open_corpus(corpus.storage.root))
    assert len(kept) == 3 and set(kept.values()) == {2}
    policy = ScriptedPolicy()
    working = agent(pool, policy)
    reprove(corpus, working, [BARRED], config, QUIET)
    assert tries(corpus) == Counter({s.name: 2 for s in [*EASY, *FALSE]}) and len(working.memory) == 7
    again, commits = ScriptedPolicy(), corpus.commits()
    assert reprove(corpus, agent(pool, again), [BARRED], config, QUIET).tried == 0 and corpus.commits() == commits
    found = reprove(corpus, agent(pool, again), [BARRED], dataclasses.replace(config, num_samples=4), QUIET)
    assert found.tried == 2 and tries(corpus) == Counter({s.name: 2 for s in EASY} | {s.name: 4 for s in FALSE})
    assert not set(again.seeds) & set(policy.seeds)
    samples = {(t.statement.id, t.sample) for t in corpus.trajectories()}
    assert len(samples) == corpus.dataset("trajectories").count_rows()


def test_the_least_tried_come_first_and_what_another_process_proved_is_passed_over(corpus: Corpus, pool: Pool) -> None:
    reprove(corpus, agent(pool, ScriptedPolicy()), [BARRED], ReproveConfig(limit=3, num_samples=1, batch=2), QUIET)
    tried = set(tries(corpus))
    other = next(s for s in EASY if s.name not in tried)

    def meanwhile(prompt: str) -> None:
        if not any(proof.statement == other for proof in corpus.proofs()):
            corpus.commit(new_rows(corpus, "other", (), [replace(PROVED, statement=other, proof=RIGHT)]), {})

    policy = ScriptedPolicy(meanwhile)
    found = reprove(corpus, agent(pool, policy), [BARRED], ReproveConfig(num_samples=1, batch=1), QUIET)
    names = tries(corpus)
    assert set(names) >= {s.name for s in [*EASY, *FALSE] if s != other} and found.tried <= 7
    ids = corpus.dataset("proofs").to_table(columns=["id"])["id"].to_pylist()
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("setting", ["limit", "num_samples", "rounds", "batch"])
def test_bad_numbers_are_named(setting: str) -> None:
    with pytest.raises(InputError, match=f"--{setting.replace('_', '-')} is 0"):
        ReproveConfig(**{setting: 0})


def test_a_run_is_added_once_and_reproved_from_the_command_line(calm: Path, tmp_path: Path) -> None:
    where = tmp_path / "corpus"
    before = {path: path.stat().st_mtime_ns for path in calm.rglob("*")}
    assert [commit.note["stage"] for commit in add_run(where, calm, QUIET)] == ["corpus", "rollout-1"]
    assert add_run(where, calm, QUIET) == [] and {path: path.stat().st_mtime_ns for path in calm.rglob("*")} == before
    corpus = open_corpus(where)
    made = corpus.commits()[0]
    _, experiment = open_run(calm)
    sizes = experiment.theorems.synthetic
    assert made.rows("statements") == sizes.public + sizes.pool
    assert made.rows("proofs") == sizes.public == corpus.dataset("proofs").count_rows()
    rollout = experiment.rollout
    assert corpus.dataset("trajectories").count_rows() == rollout.statements * rollout.num_samples
    process = start("corpus", "reprove", "--corpus", str(where), "--run", str(calm), "--limit", "5", "--num-samples", "2", "--batch", "3")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and "5 statements tried" in output, output
    played = [t for t in corpus.trajectories() if t.stage == "reprove"]
    tried_before = {t.statement.id for t in corpus.trajectories() if t.stage == "rollout-1"}
    assert Counter(Counter(t.statement.id for t in played).values()) == {2: 5}
    assert not tried_before & {t.statement.id for t in played} and all(len(t.rounds) <= 2 for t in played)
    assert corpus.commit({"statements": rows_to_table([statement_row(EASY[0])], TABLES["statements"])}, {}) is not None
    process = start("corpus", "show", str(where))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "generated" in output and "mini" in output, output
