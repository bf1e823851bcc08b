"""Sources of `oprover pack` that need the agent's prompts: verified proofs, repairs and conversations of a corpus.

Retrieval uses the corpus' index (`oprover corpus index`), and what is packed are the commits that it covers. So a source is the same for
every process, whatever is committed meanwhile.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from oprover_jax.agent.examples import proof_examples
from oprover_jax.agent.feedback import verdict_errors
from oprover_jax.agent.template import Budget, State, Template
from oprover_jax.corpus.corpus import Commit, Corpus, open_corpus
from oprover_jax.data.codec import open_codec
from oprover_jax.data.packing import TooLong
from oprover_jax.data.rows import Example, document, prompted
from oprover_jax.data.sources import Left, Piece, parquet_pieces, parquet_rows, row_pieces
from oprover_jax.errors import InputError
from oprover_jax.records import Statement, Verdict
from oprover_jax.retrieval.corpus_memory import Guard, StoredVectors, index_folder, open_memory, read_index
from oprover_jax.retrieval.memory import Memory
from oprover_jax.retrieval.memory_file import INDEX
from oprover_jax.statements.benchmarks import REGISTRY, Benchmark, load_benchmarks
from oprover_jax.statements.decontaminate import find_in_statements, find_in_texts

_BYTES_PER_TOKEN = 3  # of Lean and of reasoning about it
_BATCH = 256  # rounds whose proofs are retrieved together


@dataclass(frozen=True)
class Prompted:
    """Verified proofs of the corpus at `path` as answers to the agent's prompts, with loss on the answer only.

    rounds "first": one example for each accepted proof. rounds "repair": one for each failed attempt of a stored rollout whose statement
    has an accepted proof, with Lean's feedback in the prompt; the answer is the proof of the rollout's next accepted round, else the
    shortest one. Examples longer than a row are dropped.

    `tokenizer` is a model's folder, whose chat template frames the prompt, or a tokenizer trained by a run. `retrieve` proofs come from
    the corpus' index for `encoder`, or from the one in the folder `index`. `data` is a folder with benchmarks/: statements and texts of
    `benchmarks` are removed ("": only what the corpus and its index left out). `repairs` is the maximum of examples from one rollout. An
    index that does not cover the whole corpus is refused, unless `partial` allows to pack only what it covers.
    The publication leaves `retrieve` and the budget open; these are ours.
    """

    path: str
    tokenizer: str
    weight: float = 1.0
    rounds: Literal["first", "repair"] = "first"
    retrieve: int = 8
    budget: Budget = field(default_factory=lambda: Budget(prompt=12_288, statement=2048, references=6144, attempt=4096, feedback=2048))
    repairs: int = 2
    encoder: str = "lexical"
    index: str = ""
    data: str = ""
    benchmarks: tuple[Benchmark, ...] = REGISTRY
    partial: bool = False
    too_long: Literal["drop"] = "drop"

    def __post_init__(self) -> None:
        if self.retrieve < 0 or self.repairs < 1:
            raise ValueError(f"retrieve is {self.retrieve} and repairs is {self.repairs}; they must be at least 0 and 1")

    @property
    def made_of(self) -> tuple[str, ...]:
        """What determines the examples besides the settings and the pieces: tokenizer, index and benchmarks."""
        opened = _opened(self)
        return (opened.template.codec.hash, opened.index, opened.guard.identity if opened.guard else "")

    def plan(self, size: int) -> list[Piece]:
        opened = _opened(self)
        missing = [one for one in opened.corpus.commits() if one not in opened.commits and (one.rows("proofs") or one.rows("trajectories"))]
        if missing and not self.partial:
            raise InputError(
                f"the index of {self.path} lacks {len(missing)} commits; run `oprover corpus index {self.path}`, or set partial=True"
            )
        table, examples = ("proofs", 1) if self.rounds == "first" else ("trajectories", self.repairs)
        row_bytes = _BYTES_PER_TOKEN * self.budget.prompt * examples
        return [piece for path in opened.corpus.paths(table, opened.commits) for piece in row_pieces(path, row_bytes, size)]

    def read(self, piece: Piece) -> Iterator[Example | Left]:
        opened = _opened(self)
        batch: list[tuple[State, str]] = []
        for found in _first_rounds(opened, piece) if self.rounds == "first" else _repairs(opened, piece, self.repairs):
            if isinstance(found, Left):
                yield found
                continue
            batch.append(found)
            if len(batch) == _BATCH:
                yield from opened.examples(batch, self.retrieve)
                batch = []
        yield from opened.examples(batch, self.retrieve)


@dataclass(frozen=True)
class Conversations:
    """Conversations of the corpus at `path`, such as OProofs' `prompt` and `cot_proof`, as they are: the prompt is the user's turn of the
    chat template, and the answer follows.

    loss "answer": only the answer has loss, and what is longer than a row is dropped (SFT). loss "all": each token is a target, and what
    is longer continues in further rows (CPT).

    `checked` are the accepted verdicts on the proof. `tokenizer`, `data` and `benchmarks` as in `Prompted`.
    """

    path: str
    tokenizer: str
    weight: float = 1.0
    loss: Literal["answer", "all"] = "answer"
    checked: tuple[str, ...] = ("accepted", "unchecked")
    data: str = ""
    benchmarks: tuple[Benchmark, ...] = REGISTRY

    @property
    def too_long(self) -> TooLong:
        return "drop" if self.loss == "answer" else "continue"

    @property
    def made_of(self) -> tuple[str, ...]:
        guard = _guard(self.data, self.benchmarks)
        return (_codec(self.tokenizer).hash, guard.identity if guard else "")

    def plan(self, size: int) -> list[Piece]:
        pieces = [piece for path in open_corpus(self.path).paths("conversations") for piece in parquet_pieces(path, "answer", size)]
        if not pieces:
            raise InputError(f"{self.path} has no conversations; ingest a set that has them, such as OProofs, or remove this source")
        return pieces

    def read(self, piece: Piece) -> Iterator[Example | Left]:
        rows: list[dict[str, Any]] = []
        for _, row in parquet_rows(piece, ["id", "prompt", "answer"]):
            rows.append(row)
            if len(rows) == _BATCH:
                yield from self._examples(rows)
                rows = []
        yield from self._examples(rows)

    def _examples(self, rows: Sequence[dict[str, Any]]) -> Iterator[Example | Left]:
        codec, guard, corpus = _codec(self.tokenizer), _guard(self.data, self.benchmarks), open_corpus(self.path)
        allowed = pc.field("id").isin(pa.array([row["id"] for row in rows])) & pc.field("checked").isin(pa.array(self.checked))
        checked = set(corpus.dataset("proofs").to_table(columns=["id"], filter=allowed)["id"].to_pylist())
        texts = [f"{row['prompt']}\n\n{row['answer']}" for row in rows]
        hits = find_in_texts(guard.index, texts) if guard else [None] * len(rows)
        for row, hit in zip(rows, hits, strict=True):
            if row["id"] not in checked:
                continue
            if hit:
                yield Left.REMOVED
            else:
                prompt, answer = codec.said(row["prompt"]), [*codec.encode_plain(row["answer"]), codec.end_ids[0]]
                yield prompted(prompt, answer) if self.loss == "answer" else document([*prompt, *answer])


@dataclass(frozen=True)
class _Opened:
    """What a `Prompted` source needs, opened once per process. `index` identifies the contents of the index."""

    corpus: Corpus
    commits: list[Commit]
    memory: Memory
    template: Template
    guard: Guard | None
    index: str

    def examples(self, rounds: Sequence[tuple[State, str]], retrieve: int) -> Iterator[Example | Left]:
        """Yield an example, or why there is none, for each round."""
        if not rounds:
            return
        texts = [f"{state.attempt}\n\n{proof}" for state, proof in rounds]
        clean = [not hit for hit in _hits(self.guard, [state.statement for state, _ in rounds], texts)]
        made = iter(proof_examples(self.template, self.memory, [one for one, ok in zip(rounds, clean, strict=True) if ok], retrieve))
        for ok in clean:
            yield (next(made) or Left.UNUSABLE) if ok else Left.REMOVED


def _opened(source: Prompted) -> _Opened:
    corpus = open_corpus(source.path)
    folder = index_folder(corpus, source.encoder, Path(source.index) if source.index else None)
    read_index(corpus, folder)
    return _open(source, folder, (folder / INDEX).stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _open(source: Prompted, folder: Path, written: int) -> _Opened:
    """Open the index that was written at a certain time."""
    corpus = open_corpus(source.path)
    saved = read_index(corpus, folder)
    commits = [commit for commit in corpus.commits() if commit.id in saved.covers]
    memory = open_memory(corpus, StoredVectors(saved.encoder, saved.encoder_hash, saved.dims), folder, commits=commits)
    identity = f"{saved.encoder_hash} {sorted(saved.covers)} {sorted(saved.files.items())}"
    return _Opened(
        corpus, commits, memory, Template(_codec(source.tokenizer), source.budget), _guard(source.data, source.benchmarks), identity
    )


_codec = lru_cache(maxsize=2)(open_codec)


@lru_cache(maxsize=1)
def _guard(data: str, benchmarks: tuple[Benchmark, ...]) -> Guard | None:
    return Guard.of(load_benchmarks(Path(data), benchmarks)) if data else None


def _hits(guard: Guard | None, statements: Sequence[Statement], texts: Sequence[str]) -> list[bool]:
    """Return for each statement with its texts whether it has something of a benchmark."""
    if guard is None:
        return [False] * len(texts)
    stated = find_in_statements(guard.index, [one.formal for one in statements], [one.header for one in statements])
    return [bool(first or second) for first, second in zip(stated, find_in_texts(guard.index, texts), strict=True)]


def _first_rounds(opened: _Opened, piece: Piece) -> Iterator[tuple[State, str] | Left]:
    for _, row in parquet_rows(piece, ["statement_id", "proof", "checked"]):
        if row["checked"] == "accepted":
            known = opened.memory.proof_of(row["statement_id"])
            # the index leaves out statements of benchmarks
            yield Left.REMOVED if known is None else (State(known.statement), row["proof"])


class _Round(msgspec.Struct):
    proof: str | None
    verdict: Verdict | None


_decoder = msgspec.json.Decoder(_Round)


def _repairs(opened: _Opened, piece: Piece, most: int) -> Iterator[tuple[State, str]]:
    """Yield failed attempts with Lean's feedback, the first ones of each rollout, and the proofs that mend them."""
    for _, row in parquet_rows(piece, ["statement_id", "rounds"]):
        known = opened.memory.proof_of(row["statement_id"])
        if known is None:  # nobody has proved it
            continue
        statement = known.statement
        rounds = [_decoder.decode(text) for text in row["rounds"]]
        failed = 0
        for number, played in enumerate(rounds):
            if played.proof is None or played.verdict is None or played.verdict.accepted is not False or failed == most:
                continue
            failed += 1
            mended = (later.proof for later in rounds[number + 1 :] if later.verdict is not None and later.verdict.accepted)
            feedback = verdict_errors(statement.formal, played.proof, played.verdict)
            yield State(statement, (), played.proof, feedback), next((proof for proof in mended if proof), known.proof)
