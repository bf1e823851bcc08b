"""Which rounds are trained on: accepted ones, repairs first, distinct, loss on the attempt only; GSPO from the hard band."""

from pathlib import Path

import pytest
from start import TINY

from lean_worker.protocol import Verdict
from oprover_jax.configuration import apply_override, load
from oprover_jax.corpus import store
from oprover_jax.data.rows import Example
from oprover_jax.data.trajectories import read_examples
from oprover_jax.errors import InputError
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.select import SelectConfig, hard_states, sft_rounds
from oprover_jax.posttraining.training import share_of_rounds
from oprover_jax.records import Round, Statement, Trajectory


def attempt(
    accepted: bool | None, proof: str, prompt: tuple[int, ...] = (5, 6), ids: tuple[int, ...] = (7, 1), well_formed: bool = True
) -> Round:
    kind = {True: "accepted", False: "error", None: "crash"}[accepted]
    verdict = Verdict("s", accepted, kind)  # type: ignore[arg-type]
    reward = None if accepted is None else 0.8 * accepted + 0.2 * (accepted and well_formed)
    return Round(prompt, ids, (-0.5,) * len(ids), 3, "stop", ("r",), proof, well_formed, verdict, "", reward)


def trajectory(name: str, sample: int, *rounds: Round) -> Trajectory:
    return Trajectory(Statement(name, name, f"theorem {name} : True := by sorry"), sample, "rollout-1", rounds)


def stored(folder: Path, trajectories: list[Trajectory]) -> list[str]:
    part = store.append(folder, store.TRAJECTORIES, trajectories)
    return [str(part)]


def sft_examples(folder: Path, trajectories: list[Trajectory], config: SelectConfig) -> list[Example]:
    files = stored(folder, trajectories)
    chosen = sft_rounds(files, config)
    examples = list(read_examples(files, chosen))
    assert [each.prompt + each.length for each in chosen] == [len(example.ids) for example in examples]
    return examples


def test_sft_takes_repairs_first_and_each_proof_once(tmp_path: Path) -> None:
    group = [
        trajectory("a", 0, attempt(True, "by rfl", ids=(9, 9, 1))),
        trajectory("a", 1, attempt(False, "by omega"), attempt(True, "by simp", prompt=(5, 6, 8))),
        trajectory("a", 2, attempt(True, "by rfl", ids=(9, 9, 1))),
        trajectory("a", 3, attempt(True, "by decide", ids=(4, 1), well_formed=False)),
        trajectory("a", 4, attempt(False, "by omega"), attempt(False, "by omega")),
    ]
    first, second = sft_examples(tmp_path, group, SelectConfig(per_statement=4))
    assert first.ids.tolist() == [5, 6, 8, 7, 1] and first.weights.tolist() == [0, 0, 0, 1, 1]
    assert second.ids.tolist() == [5, 6, 9, 9, 1]
    assert len(sft_examples(tmp_path, group, SelectConfig(per_statement=1))) == 1


def test_mastered_statements_give_one_round(tmp_path: Path) -> None:
    group = [trajectory("a", i, attempt(True, f"by exact h{i}")) for i in range(8)]
    assert len(sft_examples(tmp_path, group, SelectConfig(per_statement=4, mastered=0.8))) == 1


def test_one_proof_text_cannot_crowd_out_the_rest(tmp_path: Path) -> None:
    """Of the statements that `by simp_all` closes, those that were solved least often teach it."""
    easy = [trajectory(f"easy{n}", i, attempt(True, "by simp_all", prompt=(n,))) for n in range(5, 9) for i in range(2)]
    hard = [trajectory("hard", i, attempt(i == 0, "by simp_all" if i == 0 else "x", prompt=(9,))) for i in range(4)]
    other = [trajectory("other", 0, attempt(True, "rfl", prompt=(10,)))]
    taught = [example.ids.tolist()[0] for example in sft_examples(tmp_path, easy + hard + other, SelectConfig(per_proof=2))]
    assert taught == [9, 5, 10]
    with pytest.raises(ValueError, match="per_proof is 0"):
        SelectConfig(per_proof=0)


def test_the_control_trains_on_public_examples_only() -> None:
    """Also where the rounds would fill less than one row, of which no mixture can draw."""
    tiny = load(TINY, Experiment)
    budget = tiny.repair_sft.steps * tiny.repair_sft.tokens_per_step
    shares = [share_of_rounds(apply_override(tiny, f"select.passes={passes}"), budget // 4) for passes in ("0", "1e-6", "1", "100")]
    assert shares == [0, 0, 0.25, 1 - tiny.replay] and share_of_rounds(tiny, 0) == 0
    assert apply_override(tiny, "gspo.steps=0").gspo.steps == 0
    with pytest.raises(InputError, match=r"select\.passes is -1"):
        apply_override(tiny, "select.passes=-1")


def test_a_restated_theorem_does_not_make_another_proof(tmp_path: Path) -> None:
    group = [trajectory("a", i, attempt(True, proof)) for i, proof in enumerate(("by simp", "theorem a : True := by simp"))]
    assert len(sft_examples(tmp_path, group, SelectConfig())) == 1


def test_hard_states_are_those_of_partial_success(tmp_path: Path) -> None:
    never = [trajectory("never", i, attempt(False, "x"), attempt(False, "x")) for i in range(4)]
    always = [trajectory("always", i, attempt(True, "x")) for i in range(4)]
    some = [trajectory("some", i, attempt(i == 0, "x"), *([] if i == 0 else [attempt(False, "y", prompt=(5, 6, i))])) for i in range(4)]
    more = [trajectory("more", i, attempt(i == 3, "x", prompt=(7,))) for i in range(4)]
    files, config = stored(tmp_path, never + always + some + more), SelectConfig(hard=(0.0, 0.75))
    states = hard_states(files, config, seed=0)
    shown = sorted((s.statement.id, len(s.prompt_ids)) for s in states)
    assert shown == [("more", 1), ("some", 2), ("some", 3)] and {s.retrieved for s in states} == {("r",)}
    again = [*stored(tmp_path / "again", [*some[2:], *more]), *stored(tmp_path / "again", [*always, *never, *some])]
    assert states == hard_states(again, config, seed=0)
    assert hard_states(files, config, seed=0, limit=2) == states[:2]
