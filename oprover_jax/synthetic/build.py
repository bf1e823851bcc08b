"""Build the corpus of the demo: draw, verify by the kernel, split, decontaminate, write.

The proofs by construction show that the statements of the pool and the benchmark can be proved; they are checked and then thrown away.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec

from lean_worker.protocol import Check, Verdict
from oprover_jax.corpus.theorems import Theorems, load_theorems, write_theorems
from oprover_jax.records import ProofRecord, Statement, utc_now
from oprover_jax.statements.decontaminate import decontaminate, form
from oprover_jax.synthetic.config import SyntheticConfig
from oprover_jax.synthetic.generate import distinct
from oprover_jax.synthetic.plan import Cell, demand, held_out_quota, pool_quotas
from oprover_jax.synthetic.textbook import Provable, textbook

Verify = Callable[[list[Check]], list[Verdict]]

# Raise it when stored corpora must be built anew though neither this package nor `statements` has changed.
_VERSION = 1


class CorpusError(ValueError):
    """The corpus cannot be built."""


def config_hash(config: SyntheticConfig) -> str:
    """Return 12 hexadecimal digits that change with the configuration, `_VERSION`, and the content of this package and of `statements`."""
    digest = hashlib.sha256(msgspec.json.encode([_VERSION, asdict(config)]))
    packages = Path(__file__).parents[1]
    for path in sorted(path for name in ("statements", "synthetic") for path in (packages / name).rglob("*")):
        if path.suffix in (".py", ".lean"):
            digest.update(path.relative_to(packages).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def build(config: SyntheticConfig, verify: Verify, folder: Path | None = None) -> Theorems:
    """The corpus of `config`; read from `folder` where it is there already, else made, and written to `folder` as a whole.

    `verify` answers checks in order (lean_worker.pool.Pool.check_many). Raises CorpusError where no verdict can be had.
    """
    target = folder / f"corpus-{config_hash(config)}" if folder is not None else None
    if target is not None and target.is_dir():
        return load_theorems(target)
    drawn, report = _draw(config)
    verified, verdicts = _verified(drawn, verify, report)
    corpus = _split(config, drawn, verified, verdicts, report)
    corpus = replace(corpus, report=msgspec.json.decode(msgspec.json.encode(corpus.report)))
    if target is not None:
        write_theorems(target, corpus)
    return corpus


def _draw(config: SyntheticConfig) -> tuple[dict[str, list[Provable]], dict[str, Any]]:
    """Statements for each part, distinct over all parts, with a few to spare; what the benchmark says no other part says."""
    book = textbook() if config.textbook else []
    seen = {provable.statement.id for provable in book}
    duplicates = 0
    found: dict[Cell, list[Provable]] = {}
    for cell, count in sorted(demand(config).items()):
        found[cell], doubled = distinct(*cell, count, config.seed, seen)
        duplicates += doubled
    forms = {cell: _by_form(there, random.Random(f"{config.seed}/{cell}")) for cell, there in found.items()}
    quota = held_out_quota(config, {cell: len(there) for cell, there in forms.items()})
    held_out = {key: same[0] for cell, there in forms.items() for key, same in there[: quota[cell]]}
    left = {cell: [provable for key, same in there if key not in held_out for provable in same] for cell, there in forms.items()}
    for cell, rest in left.items():
        random.Random(f"{config.seed}/{cell}/left").shuffle(rest)
    public, pool = pool_quotas(config, {cell: len(there) for cell, there in left.items()})
    drawn = {
        "benchmark": list(held_out.values()),
        "public": [provable for cell, there in left.items() for provable in there[: public[cell]]],
        "pool": [provable for cell, there in left.items() for provable in there[public[cell] : public[cell] + pool[cell]]],
    }
    report = {
        "config": asdict(config),
        "hash": config_hash(config),
        "generated": sum(map(len, drawn.values())),
        "duplicates_dropped": duplicates,
        "textbook": len(book),
    }
    drawn["public"] += book
    return drawn, report


def _by_form(found: Sequence[Provable], rng: random.Random) -> list[tuple[str, list[Provable]]]:
    """Each form, in random order, with those that say the same in different shapes."""
    forms: dict[str, list[Provable]] = {}
    for provable in found:
        forms.setdefault(form(provable.statement), []).append(provable)
    pairs = list(forms.items())
    rng.shuffle(pairs)
    return pairs


def _verified(drawn: dict[str, list[Provable]], verify: Verify, report: dict[str, Any]) -> tuple[set[str], dict[str, Verdict]]:
    """Ids of the statements whose proof the kernel accepted, and the verdicts; what has no verdict is asked once more."""
    checks = [Check(id=p.statement.id, statement=p.statement.formal, proof=p.proof) for part in drawn for p in drawn[part]]
    verdicts = {verdict.id: verdict for verdict in verify(checks)}
    again = [check for check in checks if verdicts[check.id].accepted is None]
    verdicts |= {verdict.id: verdict for verdict in verify(again)} if again else {}
    kinds = Counter(verdict.kind for verdict in verdicts.values())
    lost = sum(1 for verdict in verdicts.values() if verdict.accepted is None)
    if lost > len(checks) // 10:
        raise CorpusError(f"{lost} of {len(checks)} checks got no verdict ({dict(kinds)}); see `lean-worker doctor`, then build again")
    report |= {"checked": len(checks), "not_elaborating": kinds["statement"], "no_verdict": lost}
    report["proof_rejected"] = sum(1 for v in verdicts.values() if v.accepted is False) - kinds["statement"]
    return {key for key, verdict in verdicts.items() if verdict.accepted}, verdicts


def _split(
    config: SyntheticConfig, drawn: dict[str, list[Provable]], verified: set[str], verdicts: dict[str, Verdict], report: dict[str, Any]
) -> Theorems:
    parts = {part: _fill(drawn[part], verified, getattr(config, part), config.seed) for part in drawn}
    benchmark = [provable.statement for provable in parts["benchmark"]]
    public, from_public = decontaminate(parts["public"], benchmark, lambda provable: provable.statement)
    pool, from_pool = decontaminate([provable.statement for provable in parts["pool"]], benchmark, lambda statement: statement)
    report["decontaminated"] = {"public": len(from_public), "pool": len(from_pool)}
    report |= {"public": len(public), "pool": len(pool), "benchmark": len(benchmark)}
    trained = {s.family for s in pool} | {p.statement.family for p in public}
    depth = max(len(config.public_weights), len(config.pool_weights))
    report["benchmark_kinds"] = dict(
        Counter("unseen_family" if s.family not in trained else "unseen_depth" if s.difficulty > depth else "seen" for s in benchmark)
    )
    report["by_family"] = {
        part: _table(statements)
        for part, statements in (("public", [p.statement for p in public]), ("pool", pool), ("benchmark", benchmark))
    }
    return Theorems([_record(provable, verdicts[provable.statement.id]) for provable in public], pool, benchmark, report)


def _fill(found: Sequence[Provable], verified: set[str], size: int, seed: int) -> list[Provable]:
    """At most `size` of the generated ones that the kernel accepted, and all such of the textbook, each id once, in random order."""
    good = list({provable.statement.id: provable for provable in reversed(found) if provable.statement.id in verified}.values())
    random.Random(f"{seed}/order").shuffle(good)
    generated = [provable for provable in good if provable.statement.source == "generated"][:size]
    kept = {provable.statement.id for provable in generated}
    return [provable for provable in good if provable.statement.source != "generated" or provable.statement.id in kept]


def _record(provable: Provable, verdict: Verdict) -> ProofRecord:
    return ProofRecord(
        statement=provable.statement,
        proof=provable.proof,
        lean=verdict.lean,
        library=verdict.library,
        axioms=verdict.axioms,
        seconds=verdict.seconds,
        origin=provable.statement.source,
        verified_at=utc_now(),
    )


def _table(statements: Sequence[Statement]) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = {}
    for statement in statements:
        counted.setdefault(statement.family, Counter())[str(statement.difficulty)] += 1
    return {family: dict(sorted(counter.items())) for family, counter in sorted(counted.items())}
