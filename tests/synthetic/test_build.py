"""A small corpus built with the real kernel: disjoint parts, proofs only where they belong, written whole and read back equal."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from oprover_jax.corpus.theorems import Theorems
from oprover_jax.records import Statement
from oprover_jax.statements.decontaminate import form
from oprover_jax.statements.normalize import statement_id
from oprover_jax.synthetic.build import CorpusError, build, config_hash
from oprover_jax.synthetic.config import SyntheticConfig
from oprover_jax.synthetic.families import DIFFICULTIES, FAMILIES
from oprover_jax.synthetic.plan import held_out_quota, pool_quotas

pytestmark = [pytest.mark.lean, pytest.mark.slow]

_FEW = ("deduction", "disjunction", "universal", "existential", "eq_predicate", "nat_recursion", "order_weaken", "order_absurd", "relation")
_SMALL = SyntheticConfig(seed=3, public=60, pool=120, benchmark=60, families=_FEW, unseen_families=("relation",), textbook=False)


@pytest.fixture(scope="module")
def built(lean: Pool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Theorems, Path]]:
    folder = tmp_path_factory.mktemp("corpus")
    yield build(_SMALL, lean.check_many, folder), folder


def _parts(corpus: Theorems) -> list[list[Statement]]:
    return [[record.statement for record in corpus.public], corpus.pool, corpus.benchmark]


def test_sizes_and_report(built: tuple[Theorems, Path]) -> None:
    corpus, _ = built
    assert [len(part) for part in _parts(corpus)] == [60, 120, 60]
    assert corpus.report["proof_rejected"] == corpus.report["not_elaborating"] == corpus.report["no_verdict"] == 0
    assert corpus.report["generated"] == corpus.report["checked"] >= 240
    assert sum(corpus.report["benchmark_kinds"].values()) == 60


def test_parts_are_disjoint_by_content(built: tuple[Theorems, Path]) -> None:
    ids = [[statement_id(statement.formal) for statement in part] for part in _parts(built[0])]
    assert len(set().union(*ids)) == sum(map(len, ids))


def test_no_other_part_says_what_the_benchmark_says(built: tuple[Theorems, Path]) -> None:
    public, pool, benchmark = [[form(statement) for statement in part] for part in _parts(built[0])]
    assert len(set(benchmark)) == len(benchmark)
    assert not set(benchmark) & {*public, *pool}
    assert len(set(public)) < len(public)  # the same in other shapes is there to be learned from


def test_the_benchmark_has_families_and_depths_of_its_own(built: tuple[Theorems, Path]) -> None:
    public, pool, benchmark = _parts(built[0])
    trained = {statement.family for statement in [*public, *pool]}
    assert not trained & set(_SMALL.unseen_families)
    strange = [s for s in benchmark if s.family in _SMALL.unseen_families]
    deep = [s for s in benchmark if s.family in trained and s.difficulty == max(DIFFICULTIES)]
    assert max(s.difficulty for s in public) <= 3 and max(s.difficulty for s in pool) <= 5
    assert strange and deep and 0.15 <= (len(strange) + len(deep)) / len(benchmark) <= 0.35


def test_only_public_statements_carry_proofs_and_the_kernel_accepts_them_again(built: tuple[Theorems, Path], lean: Pool) -> None:
    corpus, folder = built
    checks = [Check(id=r.statement.id, statement=r.statement.formal, proof=r.proof) for r in corpus.public]
    assert all(verdict.accepted for verdict in lean.check_many(checks))
    assert all(record.lean and record.library for record in corpus.public)
    shipped = b"".join(path.read_bytes() for part in ("pool", "benchmark") for path in (folder.glob(f"corpus-*/{part}/*")))
    assert b"proof" not in shipped
    assert all(statement.formal.endswith(":= by sorry") for statement in [*corpus.pool, *corpus.benchmark])


def _no_lean(checks: list[Check]) -> list[Verdict]:
    raise AssertionError("Lean was asked although the corpus is there")


def test_it_is_read_back_equal_without_lean(built: tuple[Theorems, Path]) -> None:
    corpus, folder = built
    assert build(_SMALL, _no_lean, folder) == corpus
    assert [path.name for path in folder.iterdir()] == [f"corpus-{config_hash(_SMALL)}"]


def test_another_configuration_is_another_corpus() -> None:
    assert config_hash(_SMALL) != config_hash(replace(_SMALL, seed=4))


def test_refused_proofs_are_left_out_and_counted() -> None:
    def half(checks: list[Check]) -> list[Verdict]:
        return [
            Verdict(check.id, False, "error") if index % 2 else Verdict(check.id, True, "accepted") for index, check in enumerate(checks)
        ]

    corpus = build(_SMALL, half)
    assert corpus.report["proof_rejected"] == corpus.report["checked"] // 2
    assert sum(map(len, _parts(corpus))) == corpus.report["checked"] - corpus.report["proof_rejected"]


def test_lost_verdicts_are_asked_again_and_never_count_as_refused() -> None:
    asked: list[int] = []

    def flaky(checks: list[Check]) -> list[Verdict]:
        asked.append(len(checks))
        lost = len(asked) == 1
        return [
            Verdict(check.id, None, "timeout") if lost and i < 30 else Verdict(check.id, True, "accepted") for i, check in enumerate(checks)
        ]

    corpus = build(_SMALL, flaky)
    assert asked[1:] == [30] and corpus.report["no_verdict"] == corpus.report["proof_rejected"] == 0
    with pytest.raises(CorpusError, match="got no verdict"):
        build(_SMALL, lambda checks: [Verdict(check.id, None, "unavailable") for check in checks])


def test_a_writer_that_dies_leaves_nothing_to_be_read(tmp_path: Path) -> None:
    def dies(checks: list[Check]) -> list[Verdict]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(_SMALL, dies, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_small_families_are_made_up_for_by_larger_ones() -> None:
    every = {(family, difficulty): 1000 for family in FAMILIES for difficulty in DIFFICULTIES}
    scarce = {cell: 2 if cell[0] == "nat_predicate" else count for cell, count in every.items()}
    config = SyntheticConfig()
    for found, expected in zip(pool_quotas(config, scarce), pool_quotas(config, every), strict=True):
        assert sum(found.values()) == sum(expected.values())
    held_out, planned = held_out_quota(config, scarce), pool_quotas(config, scarce)
    assert sum(held_out.values()) == sum(held_out_quota(config, every).values())
    for cell, count in scarce.items():
        assert sum(part[cell] for part in planned) <= count
        assert held_out[cell] <= (count if cell[0] in config.unseen_families or cell[1] == max(DIFFICULTIES) else -(-count // 4))


@pytest.mark.parametrize(
    "wrong",
    [
        {"pool": 0},
        {"unseen_share": 1.0},
        {"unseen_families": ("algebra",)},
        {"families": ("relation",)},
        {"public_weights": (1.0,) * 6},
        {"light_weight": 0.0},
    ],
)
def test_impossible_configurations_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SyntheticConfig(**wrong)  # type: ignore[arg-type]
