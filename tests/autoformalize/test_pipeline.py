"""From texts to statements: real Lean, a scripted policy where statements are to survive, the real engine where they cannot."""

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import jax
import pytest
from rich.console import Console

from lean_worker.pool import Pool
from oprover_jax.autoformalize.config import FormalizeConfig, PromptConfig, VacuityConfig
from oprover_jax.autoformalize.lineage import read_rows
from oprover_jax.autoformalize.mining.candidates import Candidate
from oprover_jax.autoformalize.mining.funnel import Funnel
from oprover_jax.autoformalize.model import Model, open_model
from oprover_jax.autoformalize.pipeline import STAGES, Settings, Tools, chosen, formalize_texts
from oprover_jax.configuration import load
from oprover_jax.data.tokenizer import exported_tokenizer, train_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.models.hf.export import export_hf
from oprover_jax.models.qwen3 import Qwen3Config, init_params
from oprover_jax.posttraining.experiment import EngineConfig
from oprover_jax.progress import ProgressConsole
from oprover_jax.sharding import MeshConfig, make_mesh
from tests.autoformalize.scripted import ScriptedEngine, scripted_model

pytestmark = pytest.mark.lean

VACUITY = VacuityConfig(contradiction=("omega", "linarith"), trivial=("rfl", "simp"))
CONFIG = FormalizeConfig(
    formalizer=PromptConfig("Formalize <{informal}> under [{header}]", num_samples=3),
    critic=PromptConfig("Judge <{informal}> as [{formal}]", num_samples=2),
    vacuity=VACUITY,
    part=2,
)

# text -> the formalizer's three answers
GOOD = "theorem sq (a b : Nat) (h : a ≤ b) : a * a ≤ b * b"
ANSWERS = {
    "Squaring is monotone {formal}.": [GOOD, "theorem long_sq (a b : Nat) (hypothesis : a ≤ b) : a * a ≤ b * b", "theorem x : y = 1"],
    "Strange.": ["theorem s (n : Nat) (h : n < n) : n = 3", "theorem s (n : Nat) : n = n", "No idea."],
    "Sums commute.": ["theorem c (a b : Nat) : a + b = b + a", "theorem c (a b : Nat) : a + b + 1 = b + a + 1", "theorem c : Nat"],
    f"Too long to read: {'long ' * 20}.": ["", "", ""],
    "Unreadable to the critic.": ["theorem u (a b : Nat) : a * b = b * a"] * 3,
}
# statement -> the critic's two answers
JUDGEMENTS = {"a + b + 1": ["Score: 2", "Score: 4"], "a * b = b * a": ["Well.", ""], "sq (a b": ["Good.\nScore: 9", "Score: 8"]}


def formalizer(prompt: str) -> Sequence[str]:
    informal = re.fullmatch(r"Formalize <(.*)> under \[\]", prompt)
    assert informal is not None, prompt
    return [f"```lean4\n{answer} := by sorry\n```" if answer.startswith("theorem") else answer for answer in ANSWERS[informal[1]]]


def critic(prompt: str) -> Sequence[str]:
    found = re.fullmatch(r"Judge <(.*)> as \[(.*) := by sorry\]", prompt)
    assert found is not None and found[1] in ANSWERS, prompt
    return next((scores for part, scores in JUDGEMENTS.items() if part in found[2]), ["Score: 10", "no line with a number"])


@dataclasses.dataclass
class Scripted:
    """Tools whose policies say what the scripts say; knows how often each was opened."""

    lean: Pool
    formalizer: ScriptedEngine = dataclasses.field(default_factory=lambda: ScriptedEngine(formalizer))
    critic: ScriptedEngine = dataclasses.field(default_factory=lambda: ScriptedEngine(critic))
    opened: list[str] = dataclasses.field(default_factory=list)

    def tools(self) -> Tools:
        return Tools(lambda: self.open("formalizer", self.formalizer), lambda: self.open("critic", self.critic), self.lean)

    def open(self, name: str, engine: ScriptedEngine) -> AbstractContextManager[Model]:
        self.opened.append(name)
        return nullcontext(scripted_model(engine))


def texts(count: int = len(ANSWERS)) -> list[Candidate]:
    return [Candidate(f"{i:016x}", text, "theorem", 0.9, f"https://x.org/{i}", f"{i}.md", i, "MIT") for i, text in enumerate(ANSWERS)][
        :count
    ]


def settings(config: FormalizeConfig = CONFIG) -> Settings:
    return Settings(config, "scripted", "scripted")


def run(work: Path, tools: Tools, found: Sequence[Candidate] | None = None, config: FormalizeConfig = CONFIG) -> Funnel:
    return formalize_texts(texts() if found is None else found, work, settings(config), tools, ProgressConsole(Console(quiet=True)))


def test_each_attempt_survives_or_is_lost_for_its_reason(lean: Pool, tmp_path: Path) -> None:
    scripted = Scripted(lean)
    scripted.formalizer = ScriptedEngine(formalizer, longest=100)
    funnel = run(tmp_path / "work", scripted.tools())
    assert [step.name for step in funnel.steps] == list(STAGES)
    lost = {step.name: step.lost for step in funnel.steps}
    assert lost["formalize"] == {"no code block": 1, "too long for the policy": 3}
    assert lost["elaborate"] == {"does not elaborate": 2}
    assert lost["critic"] == {"not faithful": 1, "no score in the critic's answers": 3}
    assert lost["vacuity"] == {"vacuous: contradictory hypotheses": 1, "trivial": 1}
    assert lost["choose"] == {"same statement as another sample": 1}
    for before, after in zip(funnel.steps, funnel.steps[1:], strict=False):
        assert before.left == after.entered == after.left + sum(after.lost.values())
    assert funnel.notes == {"tactics that this Lean does not know, and so not tried": "linarith"}


def test_a_statement_knows_where_it_came_from(lean: Pool, tmp_path: Path) -> None:
    work = tmp_path / "work"
    run(work, Scripted(lean).tools())
    rows = {row.informal: row for row in chosen(work)}
    assert set(rows) == {"Squaring is monotone {formal}.", "Sums commute."}
    row = rows["Squaring is monotone {formal}."]
    assert row.formal == f"{GOOD} := by sorry" and row.answer == f"```lean4\n{GOOD} := by sorry\n```"
    assert (row.url, row.where, row.place, row.licence, row.classifier) == ("https://x.org/0", "0.md", 0, "MIT", 0.9)
    assert row.lineage == "https://x.org/0#passage-0/sample-0" and row.version == 3
    assert row.judgements == ("Good.\nScore: 9", "Score: 8") and row.critic == pytest.approx(0.85)
    assert row.lean and {(one.check, one.tactic, one.verdict) for one in row.tried} == {
        ("vacuous", "omega", "error"),
        ("trivial", "rfl", "error"),
        ("trivial", "simp", "error"),
    }
    [misspelt] = [row for row in read_rows(work / "elaborate" / "00000.parquet") if row.lost and "y" in row.formal]
    assert "Unknown identifier `y`" in misspelt.detail
    [vacuous] = [row for row in read_rows(work / "vacuity" / "00000.parquet") if row.lost.startswith("vacuous")]
    assert vacuous.detail == "omega" and ("vacuous", "omega", "accepted") in {(t.check, t.tactic, t.verdict) for t in vacuous.tried}


def test_trivial_statements_may_be_kept_and_are_marked(lean: Pool, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, vacuity=dataclasses.replace(VACUITY, keep_trivial=True))
    run(tmp_path / "work", Scripted(lean).tools(), config=config)
    assert {row.name: row.trivial for row in chosen(tmp_path / "work")} == {"sq": "", "s": "rfl", "c": ""}


def test_what_is_done_is_not_asked_again(lean: Pool, tmp_path: Path) -> None:
    """A part that fails in a stage stops the work; the next start asks for what is missing, and ends where an undisturbed one does."""
    undisturbed = run(tmp_path / "undisturbed", Scripted(lean).tools())
    work = tmp_path / "work"

    def failing(prompt: str) -> Sequence[str]:
        if "Sums" in prompt:
            raise RuntimeError("the machine is gone")
        return critic(prompt)

    first, second, third = Scripted(lean, critic=ScriptedEngine(failing)), Scripted(lean), Scripted(lean)
    with pytest.raises(RuntimeError, match="the machine is gone"):  # as it is, for the command line to say
        run(work, first.tools())
    assert run(work, second.tools()) == undisturbed
    assert second.opened == ["critic"] and first.formalizer.asked == len(ANSWERS) and second.formalizer.asked == 0
    assert run(work, third.tools()) == undisturbed and third.opened == []
    assert [list(read_rows(path)) for path in sorted((work / "choose").iterdir())] == [
        list(read_rows(path)) for path in sorted((tmp_path / "undisturbed" / "choose").iterdir())
    ]


def test_the_shipped_configuration_is_one() -> None:
    shipped = load(Path(__file__).parents[2] / "configs" / "formalize_mathlib.py", FormalizeConfig, ["critic.num_samples=1"])
    assert shipped.header.startswith("import Mathlib") and shipped.critic.num_samples == 1
    for config in (shipped.formalizer, shipped.critic):
        assert config.max_new_tokens < shipped.engine.max_len


def test_more_texts_are_added_and_other_settings_refused(lean: Pool, tmp_path: Path) -> None:
    work = tmp_path / "work"
    run(work, Scripted(lean).tools(), texts(2))
    more = Scripted(lean)
    run(work, more.tools())
    assert more.formalizer.asked == len(ANSWERS) - 2
    assert {row.informal for row in chosen(work)} == {"Squaring is monotone {formal}.", "Sums commute."}
    run(work, more.tools(), config=dataclasses.replace(CONFIG, in_flight=1, engine=EngineConfig(slots=1)))
    assert more.formalizer.asked == len(ANSWERS) - 2
    with pytest.raises(InputError, match="other settings"):
        run(work, more.tools(), config=dataclasses.replace(CONFIG, faithful=0.1))
    with pytest.raises(InputError, match="knows no tactic"):
        run(tmp_path / "other", more.tools(), config=dataclasses.replace(CONFIG, vacuity=VacuityConfig(trivial=("linarith",))))


@contextmanager
def tiny_folder(folder: Path) -> Iterator[Path]:
    config = Qwen3Config(vocab_size=300, num_layers=1, hidden_size=16, num_heads=2, num_kv_heads=2, head_dim=8, intermediate_size=32)
    tokenizer = train_tokenizer(["theorem one (h : p) : p := by exact h"], 300, [])
    tokenizer.save(folder.with_suffix(".json"))
    mesh = make_mesh(MeshConfig())
    export_hf(
        config,
        init_params(config, 0, mesh),
        folder,
        dtype="float32",
        extra_files=exported_tokenizer(folder.with_suffix(".json"), 64),
        end_id=tokenizer.end_id,
    )
    yield folder


def test_the_real_engine_on_a_policy_that_knows_nothing(lean: Pool, tmp_path: Path, devices: list[jax.Device]) -> None:
    """Plumbing from a Hugging Face folder to counted losses: noise holds no theorem, and every attempt of it is accounted for."""
    config = dataclasses.replace(
        CONFIG,
        formalizer=PromptConfig("{informal}", num_samples=2, max_new_tokens=8),
        engine=EngineConfig(slots=4, max_len=32, decode_chunk=4, prefill_batch=1),
    )
    mesh, opened = make_mesh(config.mesh, devices[:1]), list[str]()
    with tiny_folder(tmp_path / "policy") as folder:

        def opening(name: str) -> AbstractContextManager[Model]:
            opened.append(name)
            return open_model(folder, config.engine, mesh)

        tools = Tools(lambda: opening("formalizer"), lambda: opening("critic"), lean)
        first = texts(1)[0]
        found = [
            Candidate(f"{i:016x}", text, "theorem", 1.0, "", "a", i, "") for i, text in enumerate(["p : p", "theorem one", first.text * 3])
        ]
        funnel = run(tmp_path / "work", tools, found, config)
    formalized = funnel.steps[0]
    assert (formalized.entered, formalized.left) == (6, 0) and formalized.lost["too long for the policy"] == 2
    assert sum(formalized.lost.values()) == 6 and set(formalized.lost) <= {"too long for the policy", "cut off", "no code block"}
    assert all(step.entered == 0 for step in funnel.steps[1:]) and opened == ["formalizer"]
    assert all(row.answer for path in (tmp_path / "work" / "formalize").iterdir() for row in read_rows(path) if row.place < 2)
    with pytest.raises(InputError, match="is neither a run folder nor"), open_model(tmp_path / "work", config.engine, mesh):
        pass
    assert os.listdir(tmp_path / "work" / "choose")
