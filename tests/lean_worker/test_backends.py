"""What every backend must do: the same verdicts, nobody harmed by a hang or a crash, sessions kept warm, given up and replaced."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from backends import BACKENDS
from test_resilience import CRASH, GOOD, HANG, neighbours
from test_verdicts import RIGHT, WRONG
from watching import members, until

from lean_worker.embedded.build import PRELUDE, ensure_core, lean_command, lean_environment
from lean_worker.language_server.backend import embedded_server, installed_server
from lean_worker.language_server.session import raw
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Message, Verdict
from lean_worker.sandbox.sandbox import SandboxConfig
from lean_worker.session import BackendUnavailable
from lean_worker.warm import Recycling

pytestmark = pytest.mark.lean

NOT_FORK = [name for name in BACKENDS if name != "embedded-fork"]


@pytest.fixture(scope="module", params=NOT_FORK)
def other(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with Pool(2, timeout=5.0, backend=BACKENDS[request.param]()) as running:
        yield running


def test_same_verdicts_and_words_as_the_fork(pool: Pool, other: Pool) -> None:
    checks = [Check(str(i), *case) for i, case in enumerate([*RIGHT, *WRONG])]
    for one, two in zip(pool.check_many(checks), other.check_many(checks), strict=True):
        assert (one.kind, one.axioms, words(one, other)) == (two.kind, two.axioms, two.messages)


def words(verdict: Verdict, other: Pool) -> tuple[Message, ...]:
    """Messages as another backend sends them: the REPL reports no goals but those of holes."""
    if other.backend.name != "repl":
        return verdict.messages
    return tuple(msgspec.structs.replace(message, goal="") for message in verdict.messages)


def test_names_of_the_root_within_a_namespace(pool: Pool, other: Pool) -> None:
    statement = "namespace Inner\ntheorem _root_.Outer.fact : 1 = 1 := by sorry"
    proofs = [
        "rfl",
        "by decide",
        "nope",
        "namespace Inner\ntheorem _root_.Outer.fact : 1 = 1 := rfl",
    ]
    checks = [Check(str(i), statement, proof) for i, proof in enumerate(proofs)]
    kinds = [[verdict.kind for verdict in each.check_many(checks)] for each in (pool, other)]
    assert kinds == [["accepted", "accepted", "error", "accepted"]] * 2


def test_columns_count_code_points(pool: Pool, other: Pool) -> None:
    check = Check("wide", "theorem wide («𝔸𝔸» : Nat) : «𝔸𝔸» = 0 := by sorry", "by exact («𝔸𝔸» : Nat) ▸ oops")
    [one], [two] = pool.check_many([check]), other.check_many([check])
    assert one.messages and words(one, other) == two.messages


def test_hang_and_crash_are_no_verdict_and_spoil_nobody(other: Pool) -> None:
    verdicts = other.check_many([*neighbours(3), HANG, *neighbours(3), CRASH, *neighbours(3)])
    assert [v.kind for v in verdicts] == ["accepted"] * 3 + ["timeout"] + ["accepted"] * 3 + ["crash"] + ["accepted"] * 3


def test_a_crash_before_anybody_asks_is_seen_at_once() -> None:
    """The server keeps a request that comes after its worker's death for the next change: waiting for the answer would be a timeout."""
    real = embedded_server(ensure_core())
    late = replace(real, command=(sys.executable, str(Path(__file__).with_name("late_requests.py")), *real.command))
    with Pool(1, timeout=20.0, backend=late) as pool:
        assert [verdict.kind for verdict in pool.check_many([*neighbours(1), CRASH, *neighbours(1)])] == ["accepted", "crash", "accepted"]


def test_the_slow_tier_judges_again_or_says_that_there_is_none(other: Pool) -> None:
    statement = "theorem A.swap (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry"
    asked = [Check(str(i), statement, proof, tier="slow") for i, proof in enumerate(["⟨h.2, h.1⟩", "h", "by sorry"])]
    asked.append(Check("3", "def t := by sorry", "rfl", tier="slow"))
    good, wrong, hole, unstated = other.check_many(asked)
    assert (wrong.kind, hole.kind, unstated.kind) == ("error", "hole", "statement")
    if other.backend.name == "repl":
        assert (good.accepted, good.kind) == (None, "unavailable") and "no slow tier" in good.messages[0].text
    else:
        assert (good.kind, good.tier, good.axioms) == ("accepted", "slow", ())


@pytest.mark.parametrize("name", BACKENDS)
def test_no_lean_process_outlives_a_killed_service(name: str) -> None:
    """SIGKILL gives the service no chance to clean up."""
    folder = Path(__file__).parent
    code = f"""
import sys, time
sys.path.insert(0, {str(folder)!r})
from backends import BACKENDS
from test_resilience import HANG
from lean_worker.pool import Pool
pool = Pool(1, timeout=20, backend=BACKENDS[{name!r}]())
pool.submit(HANG)
while not pool.worker_pids:
    time.sleep(0.05)
print(pool.worker_pids[0], flush=True)
time.sleep(60)
"""
    service = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert service.stdout is not None
    group = int(service.stdout.readline())
    service.kill()
    service.wait()
    service.stdout.close()
    until(lambda: not members(group), 30.0)


def test_a_killed_session_is_replaced(other: Pool) -> None:
    assert other.submit(Check("before", GOOD, "h")).result().kind == "accepted"
    for pid in other.worker_pids:
        os.kill(pid, signal.SIGKILL)
    assert {v.kind for v in other.check_many(neighbours(6))} == {"accepted"}


@pytest.mark.parametrize("name", NOT_FORK)
def test_closing_leaves_no_process(name: str) -> None:
    pool = Pool(1, timeout=60, backend=BACKENDS[name]())
    future = pool.submit(HANG)
    until(lambda: bool(pool.worker_pids))
    groups = list(pool.worker_pids)
    pool.close()
    until(lambda: not any(members(group) for group in groups))
    assert future.result(timeout=5).kind == "unavailable"


def test_sessions_are_recycled_by_count() -> None:
    with Pool(1, backend=embedded_server(ensure_core()), batch=1, recycling=Recycling(checks=5)) as pool:
        assert {
            v.kind for v in pool.check_many(neighbours(2) + [Check(f"{i}", f"theorem t : {i} = {i} := by sorry", "rfl") for i in range(20)])
        }
        assert pool.status().sessions_started >= 4


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three compiled modules besides the core library."""
    folder, core = tmp_path_factory.mktemp("project"), ensure_core()
    (folder / "Proj").mkdir()
    environment = lean_environment(core.path)
    environment["LEAN_PATH"] += os.pathsep + str(folder)
    for name in "ABC":
        source = folder / "Proj" / f"{name}.lean"
        imports = "import OProverCore.All\n" + ("" if name == "A" else "import Proj.A\n")
        source.write_text(f"prelude\n{imports}theorem fact{name} : 1 + 1 = 2 := rfl\n")
        command = lean_command(core.library, "-R", folder, "-o", source.with_suffix(".olean"), source)
        subprocess.run(command, env=environment, check=True, capture_output=True)
    return folder


def test_headers_choose_among_allowed_modules(project: Path) -> None:
    backend = embedded_server(ensure_core(), project, frozenset({"Proj"}))
    statement = "theorem t : 1 + 1 = 2 := by sorry"
    with Pool(1, backend=backend, warm=2) as pool:

        def ask(header: str, proof: str) -> str:
            return pool.submit(Check("x", statement, proof, header)).result().kind

        assert ask("import Proj.A\nimport Proj.B\n", "factB") == "accepted"
        assert ask("import Proj.B\n", "factA") == "accepted"
        assert ask("", "factA") == "error"
        assert ask("import Proj.C\nopen Nat\n", "factB") == "error"
        assert ask("import Lean\n", "rfl") == "unreadable"
        assert ask("import Projective\n", "rfl") == "unreadable"
        assert ask("import Proj.Missing\n", "rfl") == "statement"


def test_warm_headers_are_reused_and_the_least_recently_used_evicted(project: Path) -> None:
    backend = embedded_server(ensure_core(), project, frozenset({"Proj"}))
    with Pool(1, backend=backend, warm=2) as pool:

        def ask(module: str, number: int) -> int:
            check = Check("x", f"theorem t : {number} = {number} := by sorry", "rfl", f"import Proj.{module}\n")
            assert pool.submit(check).result().kind == "accepted"
            return pool.status().sessions_started

        assert [ask(module, i) for i, module in enumerate("ABABAB")] == [1, 2, 2, 2, 2, 2]
        assert ask("C", 10) == 3  # A goes, it was used least recently
        assert ask("B", 11) == 3
        assert ask("A", 12) == 4
        assert len(pool.worker_pids) == 2


def test_a_memory_hog_is_no_verdict_and_spoils_nobody() -> None:
    six_gigabytes = 6 << 33
    hog = Check("hog", f"theorem t : Nat.shiftLeft 1 {six_gigabytes} = 0 := by sorry", "by decide +kernel")
    with Pool(1, timeout=30, memory_bytes=5 << 30, backend=embedded_server(ensure_core())) as pool:
        assert pool.submit(hog).result().kind == "crash"
        assert {v.kind for v in pool.check_many(neighbours(2))} == {"accepted"}


def test_positions_of_a_diagnostic() -> None:
    place = {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 5}}
    found = raw({"range": place, "severity": 2, "message": "m"}, ["", "𝔸𝔸x y"])
    assert found == {"severity": "warning", "pos": {"line": 2, "column": 2}, "endPos": {"line": 2, "column": 3}, "data": "m"}


def test_a_lean_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendUnavailable, match="elan"):
        installed_server()
    with pytest.raises(BackendUnavailable, match="elan"):
        installed_server(tmp_path)


def stand_in_for_lake(folder: Path, project: Path) -> None:
    """Stands in for Lake, which is not to be had here: it answers `lake env`; the `lean` that it names is the embedded one."""
    core = ensure_core()
    lean = " ".join(lean_command(core.library))
    (folder / "lean").write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "Lean (version 4.35.0, x86_64)" && exit\nexec {lean} "$@"\n')
    places = f"LEAN_PATH={core.path}:{project} LEAN={folder}/lean LEAN_SYSROOT={folder} LEAN_WORKER_PATH={folder}/lean"
    (folder / "lake").write_text(f'#!/bin/sh\n[ $1 = env ] || exit 3\nshift\n{places} exec "$@"\n')
    for name in ("lean", "lake"):
        (folder / name).chmod(0o755)


def test_a_project_is_served_with_what_lake_says_of_it(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_lake(tmp_path, project)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(BackendUnavailable, match="neither a lakefile"):
        installed_server(tmp_path)
    (tmp_path / "lakefile.toml").write_text('name = "proj"\n')
    library = ensure_core().library.path.parent  # a real toolchain holds its library
    found = installed_server(tmp_path, imports=("Proj.A",), sandbox=SandboxConfig(read=(library,)))
    assert (found.name, found.lean, found.library) == ("language-server", "4.35.0", "no manifest")
    with Pool(1, backend=replace(found, prelude=PRELUDE)) as pool:  # a stock Lean has Init; the embedded one must be told that it has not
        assert pool.submit(Check("x", "theorem t : 1 + 1 = 2 := by sorry", "factA")).result().kind == "accepted"
        assert pool.submit(Check("x", "theorem t : 2 + 2 = 5 := by sorry", "factA")).result().kind == "error"
