"""Verification of a build's proofs by Lean, as far as its library permits: batch by batch, each kept when it is done.

The meaning of a verdict depends on the origin of a proof:

- **accepted**: the kernel proved exactly that statement, from the three allowed axioms. `checked` is "accepted".
- The statement imports modules that this Lean lacks, or the source says that it needs more: **unchecked**, without running Lean.
- The statement is a definition and not a proposition, as some `example`s are: **rejected**, and its statement is not added.
- The statement does not elaborate: **unchecked**. The library that comes with the wheel is a small part of core Lean; that it lacks a
  definition says nothing about a proof.
- The proof is refused, and the source's own project has checked it on its own Lean (`Layout.upstream`): **unchecked** as well, because a
  missing lemma looks like a wrong step. Lean's messages are kept in the build's `unchecked.parquet`.
- The proof is refused, and is not known to have been checked upstream: **rejected**, to quarantine with Lean's first error.
- Lean's heartbeats ran out: **unchecked**, because a higher limit may suffice.
- It has a hole (`sorry`), depends on another axiom, or the slow tier found that it proves something else: rejected, even if checked
  upstream.
- No verdict (a timeout, a crash), even after retries: **unchecked**. Infrastructure never makes a proof wrong.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lean_worker.connect import open_lean, require_tier
from lean_worker.lean_pool import LeanPool
from lean_worker.protocol import Check, Verdict
from lean_worker.session import provides
from oprover_jax.corpus.corpus import Corpus
from oprover_jax.corpus.database import open_database
from oprover_jax.corpus.tables import PROOFS, QUARANTINE, STATEMENTS
from oprover_jax.files import replacing
from oprover_jax.ingest.config import VerifyConfig
from oprover_jax.progress import StageProgress
from oprover_jax.records import utc_now

UNCHECKED = pa.schema([(name, pa.string()) for name in ("id", "statement_id", "origin", "reason", "words")])
"""Proofs that are kept without a verdict, with the reason and Lean's messages, if any."""

NO_PROPOSITION = "no proposition"

_BATCH = 2048  # a multiple of DuckDB's vector size
_IMPORT = re.compile(r"^(?:public |meta |private )*import +(?:all +)?([\w.«»]+)", re.MULTILINE)
_NEEDS = re.compile(r"(?:^|\bwith )(mathlib|batteries|nng4)\b")
_MODULES = {"mathlib": "Mathlib", "batteries": "Batteries", "nng4": "Game"}
_NO_PROPOSITION = re.compile(r"^type of theorem .* is not a proposition")
_NOBODY = Verdict("", None, "unavailable")
_DAMNING = frozenset({"axiom", "hole", "kernel", "mismatch"})  # no missing lemma explains these


@dataclass(frozen=True)
class Outcome:
    """`checked` is accepted, unchecked or rejected; `reason` is counted, `words` are Lean's messages."""

    checked: str
    reason: str = ""
    words: str = ""


class Verified(msgspec.Struct):
    """Counts of a batch by origin and reason: proofs accepted, unchecked and rejected; and the ids of rejected proofs and of
    statements that are not propositions."""

    accepted: dict[str, int] = msgspec.field(default_factory=dict)
    unchecked: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    rejected: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    no_propositions: list[str] = msgspec.field(default_factory=list)
    rejected_ids: list[str] = msgspec.field(default_factory=list)


def join(settled: Path, corpus: Corpus, out: Path, memory_gb: float) -> None:
    """Write the new proofs, each with its statement's text, to one file in a fixed order. A statement may be from the corpus.

    `memory_gb` is the memory that DuckDB uses before it spills to disk.
    """
    with open_database(out.parent / "spill", memory_limit=f"{memory_gb}GB") as database, replacing(out) as path:
        for table, schema in (("proofs", PROOFS), ("statements", STATEMENTS)):
            database.register(table, ds.dataset(sorted(map(str, (settled / table).glob("*.parquet"))), schema=schema, format="parquet"))
        database.register("known", corpus.dataset("statements"))
        joined = database.sql(
            "select proofs.*, one.formal as statement, one.header as header, one.lean as written_for from proofs"
            " join (select distinct on (id) * from (select id, formal, header, lean from statements"
            " union all select id, formal, header, lean from known)) as one on one.id = proofs.statement_id"
            " order by proofs.statement_id, proofs.id"
        )
        joined.write_parquet(str(path), compression="zstd", row_group_size=_BATCH)


def verify_proofs(joined: Path, out: Path, config: VerifyConfig, upstream: Mapping[str, str], progress: StageProgress) -> None:
    """Write `out`/proofs, quarantine, unchecked and counts, one part of each for every missing batch.

    `upstream` says for each origin who has checked its proofs, or "". Verdicts of a local Lean are kept as they arrive, so an
    interrupted batch checks only the remaining proofs.

    Raises:
      LeanWorkerError: the Lean selected by `config` is unavailable; there is no fallback to another one.
    """
    for folder in ("proofs", "quarantine", "unchecked", "counts"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    with pq.ParquetFile(joined) as file:
        progress.total(file.metadata.num_rows)
        sizes = [file.metadata.row_group(batch).num_rows for batch in range(file.num_row_groups)]
        left = [batch for batch in range(len(sizes)) if not _counts_path(out, batch).is_file()]
        if not left:
            return
        with _Verification(config, upstream, out) as verification:
            for batch in left:
                on_done = partial(_report_progress, progress, sum(sizes[:batch]))
                verification.write(batch, file.read_row_group(batch).to_pylist(), on_done)


def read_verdicts(out: Path) -> Verified:
    """Return the counts of all batches together."""
    total = Verified()
    for path in sorted((out / "counts").glob("*.json")):
        batch = msgspec.json.decode(path.read_bytes(), type=Verified)
        total.no_propositions += batch.no_propositions
        total.rejected_ids += batch.rejected_ids
        total.accepted = dict(Counter(total.accepted) + Counter(batch.accepted))
        for table in ("unchecked", "rejected"):
            known, more = getattr(total, table), getattr(batch, table)
            for origin, reasons in more.items():
                known[origin] = dict(Counter(known.get(origin, {})) + Counter(reasons))
    return total


def lacking(header: str, written_for: str, provided: Callable[[str], bool]) -> str:
    """Return what the statement needs and this Lean lacks: a module of its imports, or the source's requirement; "" for nothing."""
    needed = _IMPORT.findall(header) or [_MODULES[need] for need in _NEEDS.findall(written_for)]
    return next((module.partition(".")[0] for module in needed if not provided(module)), "")


def outcome(verdict: Verdict, upstream: str) -> Outcome:
    """Return the outcome for a proof with this verdict; `upstream` says who has checked it before, or ""."""
    error = next((message.text for message in verdict.messages if message.severity == "error"), "")
    words = " ".join((error or " ".join(message.text for message in verdict.messages)).split())[:500]
    if verdict.accepted:
        return Outcome("accepted")
    if verdict.accepted is None:
        return Outcome("unchecked", f"no verdict ({verdict.kind})", words)
    if verdict.kind == "heartbeats":
        return Outcome("unchecked", "ran out of heartbeats", words)
    if verdict.kind == "statement" and _NO_PROPOSITION.search(words):
        return Outcome("rejected", NO_PROPOSITION, words)
    if verdict.kind == "statement":
        return Outcome("unchecked", "statement beyond this Lean's library", words)
    if upstream and verdict.kind not in _DAMNING:
        how = "by the proof filter" if verdict.kind == "forbidden" else "under this Lean's library"
        return Outcome("unchecked", f"refused {how}, checked upstream", words)
    return Outcome("rejected", f"Lean rejected it ({verdict.kind})", words)


class _Verification:
    """A pool of Lean workers, or none, with a writer of batches."""

    def __init__(self, config: VerifyConfig, upstream: Mapping[str, str], out: Path) -> None:
        self._config, self._upstream, self._out = config, upstream, out
        self._open = ExitStack()
        self._pool: LeanPool | None = None

    def __enter__(self) -> "_Verification":
        lean = self._config.lean
        if self._config.enabled:
            cached = lean if lean.backend == "remote" else dataclasses.replace(lean, cache=self._out / "verdicts.sqlite")
            with ExitStack() as opened:
                self._pool = opened.enter_context(open_lean(cached, trusted_headers=True, name="build"))
                require_tier(self._pool, lean)
                self._open = opened.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def write(self, batch: int, rows: Sequence[dict[str, Any]], on_done: Callable[[int], None]) -> None:
        outcomes = self._outcomes(rows, on_done)
        proofs, quarantine, unchecked = [], [], []
        accepted: Counter[str] = Counter()
        counts = Verified()
        for row, (result, verdict) in zip(rows, outcomes, strict=True):
            origin = row["origin"]
            if result.checked == "rejected":
                reason = f"{result.reason}: {result.words}"
                shown = {name: row[name] for name in ("origin", "statement_id", "header", "statement", "proof")}
                quarantine.append(
                    {"source": row["source"], "where": row["id"], "reason": reason, "row": msgspec.json.encode(shown).decode()}
                )
                _count(counts.rejected, origin, result.reason)
                counts.rejected_ids.append(row["id"])
                if result.reason == NO_PROPOSITION:
                    counts.no_propositions.append(row["statement_id"])
                continue
            if result.checked == "unchecked":
                unchecked.append(
                    {name: row[name] for name in ("id", "statement_id", "origin")} | {"reason": result.reason, "words": result.words}
                )
                _count(counts.unchecked, origin, result.reason)
            else:
                accepted[origin] += 1
            proofs.append(_proof(row, result, verdict))
        counts.accepted = dict(accepted)
        for folder, schema, table in (
            ("proofs", PROOFS, proofs),
            ("quarantine", QUARANTINE, quarantine),
            ("unchecked", UNCHECKED, unchecked),
        ):
            with replacing(self._out / folder / f"{batch:06d}.parquet") as path:
                pq.write_table(pa.Table.from_pylist(table, schema=schema), path, compression="zstd")
        with replacing(_counts_path(self._out, batch)) as path:
            path.write_bytes(msgspec.json.encode(counts))

    def _outcomes(self, rows: Sequence[dict[str, Any]], on_done: Callable[[int], None]) -> list[tuple[Outcome, Verdict | None]]:
        if self._pool is None:
            return [(Outcome("unchecked", "verification is off"), None)] * len(rows)
        provided = partial(provides, self._pool.describe())
        missing = [lacking(row["header"], row["written_for"], provided) for row in rows]
        checks = {
            index: Check(row["id"], row["statement"], row["proof"], row["header"], self._config.lean.tier, helpers=True)
            for index, (row, needed) in enumerate(zip(rows, missing, strict=True))
            if not needed
        }
        verdicts = self._verdicts(checks, lambda answered: on_done(len(rows) - len(checks) + answered))
        return [
            (outcome(verdicts[index], self._upstream[row["origin"]]), verdicts[index])
            if index in verdicts
            else (Outcome("unchecked", f"needs {missing[index]}"), None)
            for index, row in enumerate(rows)
        ]

    def _verdicts(self, checks: Mapping[int, Check], on_done: Callable[[int], None]) -> dict[int, Verdict]:
        assert self._pool is not None
        verdicts: dict[int, Verdict] = {}
        for _ in range(1 + self._config.retries):
            asked = {index: self._pool.submit(check) for index, check in checks.items() if verdicts.get(index, _NOBODY).accepted is None}
            for index, future in asked.items():
                verdicts[index] = future.result()
                on_done(len(verdicts))
        return verdicts


def _report_progress(progress: StageProgress, before: int, done: int) -> None:
    progress.update(before + done, "proofs")


def _proof(row: Mapping[str, Any], result: Outcome, verdict: Verdict | None) -> dict[str, Any]:
    """Return the row of PROOFS; its Lean is the one that verified it, or for an unchecked proof the one that it was written for."""
    kept = {name: row[name] for name in PROOFS.names}
    if result.checked != "accepted" or verdict is None:
        return kept | {"lean": row["written_for"], "checked": "unchecked"}
    judged_by = {"lean": verdict.lean, "library": verdict.library, "axioms": list(verdict.axioms), "seconds": verdict.seconds}
    return kept | judged_by | {"verified_at": utc_now(), "checked": "accepted"}


def _count(table: dict[str, dict[str, int]], origin: str, reason: str) -> None:
    reasons = table.setdefault(origin, {})
    reasons[reason] = reasons.get(reason, 0) + 1


def _counts_path(out: Path, batch: int) -> Path:
    return out / "counts" / f"{batch:06d}.json"
