"""What the slow tier uses is bounded, freed as it goes, and gone with the process that used it, however that ends."""

import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from slow_service import HANG
from watching import alive, children, descendants, until

from lean_worker.candidate import Candidate
from lean_worker.embedded.build import CoreLibrary, ensure_core
from lean_worker.embedded.slow_phases import SlowLimits, _first_error
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.session import Recheck
from lean_worker.statement import split_statement

pytestmark = [pytest.mark.lean, pytest.mark.slow]

SERVICE = Path(__file__).with_name("slow_service.py")
KILL = signal.SIGKILL


@pytest.fixture(scope="module")
def core() -> CoreLibrary:
    return ensure_core()


def equal(tier: SlowTier, number: int, header: str = "", proof: str = "rfl") -> Recheck:
    return tier.recheck(header, split_statement(f"theorem t : {number} = {number} := by sorry"), Candidate(proof))


def hangs(tier: SlowTier, helpers: str = "", proof: str = "by decide +kernel") -> Recheck:
    return tier.recheck("", split_statement(HANG), Candidate(proof, helpers, line=1 if helpers else 0))


def disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def statements(tier: SlowTier) -> list[str]:
    return [path.name for path in tier.folder.iterdir() if path.name.startswith("statement")]


def test_candidate_and_judge_share_one_budget(core: CoreLibrary) -> None:
    """The candidate uses up a part of it; the judge, to which the kernel's check of many facts was left, gets the rest."""
    facts = [f"{i} = {i} ∧ Nat.mod.go (2 ^ 13) (2 ^ 13) 1 = 0 := by decide +kernel\n" for i in range(60)]
    helpers = f"theorem h : {facts[0]}"
    helpers += "".join(f"set_option debug.skipKernelTC true in\ntheorem p{i} : {fact}" for i, fact in enumerate(facts))
    proof = f"(fun _ => trivial) (And.intro {' (And.intro '.join(f'p{i}' for i in range(59))} p59{')' * 59}"
    with SlowTier(core, SlowLimits(seconds=15)) as tier:
        found = tier.recheck("", split_statement("theorem t : True := by sorry"), Candidate(proof, helpers, line=1 if helpers else 0))
    assert (found.accepted, found.kind) == (None, "timeout") and "judge" in found.reason
    assert found.seconds["candidate"] > 1 and found.seconds["judge"] < 15 - found.seconds["candidate"] / 2


def test_messages_do_not_renew_the_budget(core: CoreLibrary) -> None:
    with SlowTier(core, SlowLimits(seconds=5)) as tier:
        found = hangs(tier, proof="by\n  iterate 100 trace_state\n  decide +kernel")
    assert (found.kind, found.seconds["candidate"] < 30) == ("timeout", True)


def test_a_time_limit_must_be_one() -> None:
    for seconds in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="positive and finite"):
            SlowLimits(seconds=seconds)


def test_files_are_freed_and_statements_evicted(core: CoreLibrary) -> None:
    header = 'def s : String := "' + "x" * 300_000 + '"'
    with SlowTier(core, SlowLimits(kept_statements=2)) as tier:
        assert all(equal(tier, number, header).accepted for number in range(3))
        assert sorted(statements(tier)) == ["statement2", "statement3"]
        assert {path.name for path in tier.folder.iterdir()} == {"lock", "statement2", "statement3"}
        assert disk(tier.folder) < 2_000_000
        assert equal(tier, 2, header).seconds["statement"] < equal(tier, 0, header).seconds["statement"]  # known, and compiled again
    with SlowTier(core, SlowLimits(kept_bytes=100_000)) as tier:
        assert equal(tier, 0, header).accepted and statements(tier) == []
        assert equal(tier, 1).accepted and equal(tier, 2).accepted and len(statements(tier)) == 2
    assert not tier.folder.exists()


def test_a_refused_statement_leaves_nothing(core: CoreLibrary) -> None:
    with SlowTier(core) as tier:
        assert {equal(tier, number, "def broken : Nat := nonsense").kind for number in range(2)} == {"statement"}
        assert statements(tier) == []


def test_a_big_header_does_not_stay_in_memory(core: CoreLibrary) -> None:
    with SlowTier(core) as tier:
        equal(tier, 0)
        tracemalloc.start()
        try:
            for number in range(3):
                assert equal(tier, number, 'def s : String := "' + "x" * 1_000_000 + '"').accepted
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert held < 500_000


def test_threads_share_statements_that_are_evicted_meanwhile(core: CoreLibrary) -> None:
    with SlowTier(core, SlowLimits(kept_statements=1)) as tier, ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda number: equal(tier, number % 3), range(12)))
        assert [recheck.kind for recheck in found] == ["accepted"] * 12
        assert len(statements(tier)) == 1


def test_close_ends_what_runs_without_a_verdict(core: CoreLibrary) -> None:
    tier = SlowTier(core, SlowLimits(seconds=300))
    before, found = set(descendants(os.getpid())), []
    threads = [threading.Thread(target=lambda: found.append(hangs(tier))) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: len(list(tier.folder.rglob("candidate/*.lean"))) == 2, 60)
    tier.close()
    tier.close()
    for thread in threads:
        thread.join(10)
    assert [recheck.kind for recheck in found] == ["unavailable"] * 2
    assert hangs(tier).kind == "unavailable"
    assert not tier.folder.exists() and not set(descendants(os.getpid())) - before


@contextmanager
def service(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process in the middle of judging a hanging proof, and its folder."""
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, str(SERVICE)], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        folder = Path(process.stdout.readline().strip())
        until(lambda: any(folder.rglob("candidate/*.lean")), 60)
        yield process, folder
    finally:
        process.kill()
        process.communicate()


def test_a_killed_process_leaves_no_lean_and_no_folder(tmp_path: Path) -> None:
    with service(tmp_path) as (process, folder):
        until(lambda: len(descendants(process.pid)) >= 3, 60)
        below = descendants(process.pid)
        process.kill()
        process.wait()
        until(lambda: not any(map(alive, below)))
        assert not folder.exists() and list(tmp_path.iterdir()) == []


def test_the_next_start_removes_what_nobody_could(tmp_path: Path, core: CoreLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that removes the folder is killed as well, but not the folder of a service that lives."""
    with service(tmp_path) as (living, kept):
        with service(tmp_path) as (process, folder):
            removers = [pid for pid in children(process.pid) if "remove=" in Path(f"/proc/{pid}/cmdline").read_text()]
            assert len(removers) == 1
            os.kill(removers[0], KILL)
        assert folder.exists()
        strange = tmp_path / "lean-slow-tier-link"
        strange.symlink_to(tmp_path)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with SlowTier(core) as tier:
            assert not folder.exists() and kept.exists() and strange.is_symlink()
            assert tier.folder.parent == tmp_path
        assert living.poll() is None and any(kept.rglob("candidate/*.lean"))


def test_what_a_process_prints_is_read_by_lines_of_json() -> None:
    """Other marks that end a line in Unicode may stand in a message; native code may print anything."""
    strange = ["[" * 100_000, '{"severity": "error"}', '{"severity": "error", "pos": 3, "data": 4}', "7", '"severity"', ""]
    mark = '{"severity": "error", "pos": {"line": 3, "column": 1}, "data": "a\u2028b\u2029c\x85d"}'
    assert _first_error("\n".join(strange)) is None
    assert _first_error("\n".join([*strange, mark])) == "3:1: a\u2028b\u2029c\x85d"


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
def test_a_message_with_a_line_separator_is_an_error(mark: str, core: CoreLibrary) -> None:
    with SlowTier(core) as tier:
        found = tier.recheck("", split_statement("theorem t : 2 + 2 = 5 := by sorry"), Candidate(f'(rfl : "a{mark}b" = "c")'))
    assert found.kind == "error" and mark in found.reason
