"""The benchmarks that nothing is trained on: which files hold them, and what must be in these files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from oprover_jax.errors import InputError
from oprover_jax.records import Statement
from oprover_jax.statements.normalize import statement_id


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as one publisher formalised it: `file` lies under benchmarks/ of the data folder and has `rows` lines of JSON.

    With an empty `sha256` the file is not distributed with the project: it is read if the user has provided it, else skipped.
    """

    name: str
    file: str
    rows: int
    sha256: str
    licence: str
    upstream: str


REGISTRY = (
    Benchmark(
        "minif2f-dsp15",
        "minif2f_dsp15_lean4.9.jsonl",
        488,
        "c9cb525bb8181bd40a47498510c9ff0d4acaaf16601723fae6d050ff066c7c23",
        "MIT",
        "deepseek-ai/DeepSeek-Prover-V1.5@2c4ba911",
    ),
    Benchmark(
        "minif2f-yangky11",
        "minif2f_yangky11_lean4.24.jsonl",
        488,
        "d515aec2c05e15c398e2bd3c68693fb1187684342d69a320ad7ee6f7b93351e7",
        "MIT",
        "yangky11/miniF2F-lean4@5746b7d6",
    ),
    Benchmark(
        "minif2f-goedelv2",
        "minif2f_goedelv2_test_lean4.9.jsonl",
        244,
        "e86eb2de22e808fdb58b3b9ac06643a4ee6045aa4ab2da1b23aabe42e32ce9c7",
        "Apache-2.0",
        "Goedel-LM/Goedel-Prover-V2@2e9036e1",
    ),
    Benchmark(
        "matholympiadbench",
        "matholympiadbench_lean4.9.jsonl",
        360,
        "9b212ec669d3519ff7429afd34bad78e7d350fcb5797d08d4f63effe89b977d8",
        "Apache-2.0",
        "Goedel-LM/Goedel-Prover-V2@2e9036e1",
    ),
    Benchmark(
        "proofnet-dsp15",
        "proofnet_dsp15_lean4.9.jsonl",
        371,
        "1fb40157496e2f06a15cfc8fae967b77ce28018c121986b054d2bf3307d15f25",
        "MIT",
        "deepseek-ai/DeepSeek-Prover-V1.5@2c4ba911",
    ),
    Benchmark(
        "proofnet-rahul3613",
        "proofnet_rahul3613_lean4.20.jsonl",
        374,
        "aa3faf34070db70a08b66bbf25c5589d2f15f3a3e2c894f5bf05b2b36a1e67d2",
        "MIT",
        "rahul3613/ProofNet-lean4@6deae98b",
    ),
    Benchmark(
        "proofnet-verified",
        "proofnet_verified_lean4.28.jsonl",
        367,
        "e18e12c977967edf91eabea7b300f14eef924e35e257550e56f5b73797fa895c",
        "Apache-2.0",
        "marcusm117/ProofNet-Verified@1ecc1243",
    ),
    Benchmark(
        "putnambench",
        "putnambench_lean4.27.jsonl",
        672,
        "c95174af625818fb33d968c353a738b072e58c235c07118f2fa125868184d9cc",
        "Apache-2.0",
        "trishullab/PutnamBench@3c9b9268",
    ),
    Benchmark(
        "putnambench-goedel",
        "putnambench_goedel_lean4.9.jsonl",
        644,
        "d6963c33f370b0feccda1d2d55255a287e91a3a7ae92d101a90e9ce00cebf7df",
        "MIT",
        "Goedel-LM/Goedel-Prover@d80349d9",
    ),
    Benchmark("proverbench", "proverbench.jsonl", 325, "", "none declared", "deepseek-ai/DeepSeek-ProverBench"),
)


class _Row(msgspec.Struct):
    name: str
    formal_statement: str
    header: str = ""
    informal_statement: str | None = None
    lean: str = ""
    source: str = ""


def load_benchmarks(data: Path, registry: tuple[Benchmark, ...] = REGISTRY) -> list[Statement]:
    """All statements of the registered benchmarks in the data folder; `family` names the benchmark.

    Raises:
      InputError: naming a file that is missing, is not the registered one, or has another number of rows or a row that is no statement.
    """
    return [statement for benchmark in registry for statement in _load(benchmark, data / "benchmarks" / benchmark.file)]


def _load(benchmark: Benchmark, path: Path) -> list[Statement]:
    if not path.is_file():
        if not benchmark.sha256:
            return []
        raise InputError(f"{path} is missing, so {benchmark.name} could leak into the corpus; restore the file or the data folder")
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if benchmark.sha256 and found != benchmark.sha256:
        raise InputError(
            f"{path} has changed (SHA-256 {found[:16]}..., not {benchmark.sha256[:16]}...); restore it from {benchmark.upstream}"
        )
    lines = data.splitlines()
    if len(lines) != benchmark.rows:
        raise InputError(f"{path} has {len(lines)} rows and {benchmark.name} {benchmark.rows}; give the whole benchmark")
    return [_statement(benchmark, path, number, line) for number, line in enumerate(lines, start=1)]


def _statement(benchmark: Benchmark, path: Path, number: int, line: bytes) -> Statement:
    try:
        row = msgspec.json.decode(line, type=_Row)
    except msgspec.DecodeError as error:
        raise InputError(f"{path}, line {number}: {error}; each row needs name and formal_statement as text") from error
    return Statement(
        id=statement_id(row.formal_statement, row.header),
        name=row.name,
        formal=row.formal_statement,
        header=row.header,
        family=benchmark.name,
        source=row.source or benchmark.upstream,
        licence=benchmark.licence,
        informal=row.informal_statement or "",
        lean=row.lean,
    )
