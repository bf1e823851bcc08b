"""What the sandbox must refuse is tried for real, inside and, to show that the attempt can succeed, outside."""

import os
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from backends import BACKENDS
from watching import descendants

from lean_worker.backends import closed_off, confinements
from lean_worker.candidate import Candidate
from lean_worker.embedded.build import OPENING, ensure_core
from lean_worker.embedded.process import LeanTree
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.errors import LeanWorkerError
from lean_worker.jobs import Question
from lean_worker.language_server.backend import embedded_server
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.sandbox import sandbox
from lean_worker.sandbox.read_list import installed_environment, installed_files, python_files
from lean_worker.sandbox.sandbox import SandboxConfig, SandboxError, SandboxReport, detect, examine, wrap
from lean_worker.session import Limits
from lean_worker.statement import split_statement

pytestmark = pytest.mark.lean

PACKAGE = Path(sandbox.__file__).parent
LAUNCHER = PACKAGE / "launcher.py"
KINDS = [kind for kind in ("landlock", "bubblewrap") if detect(kind).files]

WRITES = """
@[extern "n"] opaque IO.FS.createDir (path : @& String) (world : Unit) : Nat
def writes : Nat := IO.FS.createDir "{path}" ()
macro "boom" : term => do
  match writes with
  | 0 => `(trivial)
  | _ => `(True.intro)
theorem t : True := boom
"""


def could(report: SandboxReport, folder: Path) -> dict[str, bool]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return sandbox._attempt(report, folder, server.getsockname()[:2])


def python(code: str, config: SandboxConfig) -> subprocess.CompletedProcess[str]:
    command = wrap([sys.executable, "-I", "-S", "-c", code], config)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_this_machine_has_a_sandbox() -> None:
    """A machine without any would skip every other test here; there the failure of this one says so."""
    assert detect().holds and detect().processes, detect().missing


def test_without_a_sandbox_every_attempt_succeeds(tmp_path: Path) -> None:
    found = could(SandboxReport("landlock"), tmp_path)
    assert found == dict.fromkeys(("changed", "read", "written_inside", "connected", "forked", "many", "signalled"), True)


@pytest.mark.parametrize("kind", KINDS)
def test_inside_no_attempt_succeeds(kind: sandbox.Kind, tmp_path: Path) -> None:
    found = could(detect(kind), tmp_path)
    assert found.pop("written_inside") and not found.pop("forked") and not found.pop("signalled")
    found.pop("many")
    found.pop("read")
    assert found == {"changed": False, "connected": False}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "--landlock" in detect(kind).mechanisms])
def test_what_is_not_listed_cannot_be_read(kind: sandbox.Kind, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    reads = f"print(open({str(tmp_path / 'secret')!r}).read())"
    assert "secret" in python(reads, SandboxConfig(kind)).stdout
    assert "PermissionError" in python(reads, SandboxConfig(kind, read=(PACKAGE,))).stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_on_processes_lets_that_many_run_or_is_reported_missing(kind: sandbox.Kind) -> None:
    """The kernel does not count the processes of root: there all nine start, and the report must not claim otherwise."""
    forks = "import os, time\nfor i in range(9):\n  if os.fork() == 0: time.sleep(1); os._exit(0)\n  print(i, flush=True)"
    done = python(forks, SandboxConfig(kind, max_processes=5))
    started = len(done.stdout.split())
    if detect(kind).process_count:
        assert 0 < started < 5 and "BlockingIOError" in done.stderr
    else:
        assert started == 9 and any("cannot be limited" in reason for reason in detect(kind).missing)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_may_run_where_processes_may_not(kind: sandbox.Kind) -> None:
    code = "import threading\nt = threading.Thread(target=print, args=('ran',)); t.start(); t.join()\nimport os; os.fork()"
    done = python(code, SandboxConfig(kind, max_processes=1))
    assert done.stdout == "ran\n" and "BlockingIOError" in done.stderr


def test_memory_is_limited() -> None:
    code = "print(len(bytearray(3 << 29)))"
    assert python(code, SandboxConfig(memory_bytes=4 << 30)).returncode == 0
    assert "MemoryError" in python(code, SandboxConfig(memory_bytes=1 << 30)).stderr


def test_nobody_is_anybody_inside() -> None:
    done = python("print(open('/proc/self/status').read())", SandboxConfig())
    status = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
    assert {status["CapEff"], status["CapPrm"], status["CapBnd"]} == {"0" * 16} and status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("mechanisms", [("--landlock", "--filter"), ("--namespaces", "--filter"), ("--namespaces",)])
def test_fewer_mechanisms_still_close_files_and_network(mechanisms: tuple[str, ...], tmp_path: Path) -> None:
    """As on machines that forbid user namespaces, or that lack Landlock or the filter; where one is lacking nothing runs at all."""
    if not set(mechanisms) <= set(detect("landlock").mechanisms):
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(LAUNCHER), *mechanisms, "--", "/bin/echo", "ran"], capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (125, "")
        return
    found = could(SandboxReport("landlock", mechanisms=mechanisms), tmp_path)
    assert (found["changed"], found["connected"], found["written_inside"]) == (False, False, True)


def test_detection_where_user_namespaces_are_forbidden() -> None:
    """What is left is reported, and that it holds only where it closes off files as well as network: without Landlock it does not."""
    left = tuple(option for option in detect("landlock").mechanisms if option != "--namespaces")
    unshare, load, give = 272, 0x20, 0x06
    code = f"""
import sys
sys.path += [{str(PACKAGE.parents[1])!r}, {str(PACKAGE)!r}]
import confinement as c
c.drop_privileges()
c.install_filter(b"".join([c._instruction({load}, 0), *c._refuse([{unshare}], 1), c._instruction({give}, c._ALLOW)]))
from lean_worker.sandbox.sandbox import detect
report = detect("landlock")
print(report.mechanisms, report.holds, report.missing)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.startswith(f"{left} {set(left) == {'--landlock', '--filter'}}") and "namespaces: sandbox: " in done.stdout, (
        done.stderr
    )


def test_the_launcher_runs_nothing_with_less_than_was_asked_for() -> None:
    """Inside the filter, which forbids namespaces, a second launcher that is asked for them must not run its command."""
    inner = [sys.executable, "-I", "-S", str(LAUNCHER), "--namespaces", "--", "/bin/echo", "ran"]
    outer = [sys.executable, "-I", "-S", str(LAUNCHER), "--filter", "--", *inner]
    done = subprocess.run(outer, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (125, "") and "unshare" in done.stderr


def test_a_required_sandbox_that_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a machine without the program bwrap."""
    monkeypatch.setenv("PATH", str(tmp_path))
    detect.cache_clear()
    try:
        with pytest.raises(SandboxError, match="required but does not hold"):
            wrap(["true"], SandboxConfig("bubblewrap", required=True))
        assert wrap(["true"], SandboxConfig("bubblewrap"))[-1] == "true"
    finally:
        detect.cache_clear()
    with pytest.raises(SandboxError, match="kind is none"):
        SandboxConfig("none", required=True)
    with pytest.raises(ValueError, match="1 or more"):
        SandboxConfig(max_processes=0)


def test_no_sandbox_changes_no_command() -> None:
    assert wrap(["a", "b"], SandboxConfig("none")) == ["a", "b"]


@pytest.mark.parametrize("kind", ["none", *KINDS])
def test_native_code_out_of_a_lean_document(kind: sandbox.Kind, tmp_path: Path) -> None:
    """A header that binds a native function makes a folder on the host; in the sandbox it cannot."""
    statement = split_statement("theorem u : True := by sorry")
    tree = LeanTree(ensure_core(), OPENING, Limits(), SandboxConfig(kind))
    try:
        found = tree.run(Question(OPENING, WRITES.replace("{path}", str(tmp_path / "made")), statement, Candidate("trivial")))
    finally:
        tree.kill()
    assert (found.outcome, found.answer.statement_errors, found.answer.axioms) == ("exit", (), ())
    assert [path.name for path in tmp_path.iterdir()] == (["made"] if kind == "none" else [])


def test_only_what_python_needs_is_readable() -> None:
    """Neither the whole installation nor the whole environment of packages."""
    files = set(python_files())
    assert {sysconfig.get_path("stdlib"), sys.executable} <= files and all(os.path.isabs(path) for path in files)
    assert not {sys.prefix, sys.base_prefix, "/usr", "/etc", "/proc", "/proc/self", str(Path.home())} & files


LEAKS = """
inductive Answer where
  | ok (text : String) : Answer
  | err (code : Nat) : Answer
instance : Inhabited Answer := ⟨.err 0⟩
@[extern "n"] opaque IO.FS.readFile (path : String) (world : Nat) : Answer
@[term_parser] def leakP : Lean.ParserDescr := Lean.ParserDescr.node `leakP 1024 (Lean.ParserDescr.symbol "leak!")
@[macro leakP] def leakM : Lean.Macro := fun stx _ s =>
  match IO.FS.readFile "PATH" 0 with
  | .ok text => .error (.error stx text) s
  | .err _ => .error (.error stx "could not read") s
theorem x : True := leak!
"""


def secrets(folder: Path) -> list[str]:
    """Files that hold the word SECRET or the name of this process's variable, and what stands in the system's own."""
    (folder / "key.txt").write_text("SECRET")
    mine = f"/proc/{os.getpid()}"
    return [str(folder / "key.txt"), "/etc/passwd", f"{mine}/environ", f"{mine}/cmdline", "/proc/1/cmdline", "/proc/self/environ"]


@pytest.mark.parametrize("name", ["embedded-fork", "embedded-server"])
def test_a_header_with_native_code_reads_nothing_of_the_host(name: str, tmp_path: Path) -> None:
    backend = BACKENDS[name]()
    readable = embedded_server(backend.core).environment["LEAN_WORKER_PATH"]  # to show that the header does read where it may
    checks = [
        Check(path, "theorem t : True := by sorry", "trivial", LEAKS.replace("PATH", path)) for path in (readable, *secrets(tmp_path))
    ]
    with Pool(1, 30, backend=backend, trusted_headers=True) as pool:
        said = {verdict.id: [message.text for message in verdict.messages] for verdict in pool.check_many(checks)}
    assert any("exec" in text for text in said.pop(readable))
    assert said and all(texts == ["could not read"] for texts in said.values()), said


def test_a_header_with_native_code_reads_nothing_in_the_slow_tier(tmp_path: Path) -> None:
    with SlowTier(ensure_core()) as tier:
        for path in secrets(tmp_path):
            found = tier.recheck(LEAKS.replace("PATH", path), split_statement("theorem t : True := by sorry"), Candidate("trivial"))
            assert found.kind == "statement" and "could not read" in found.reason, path


@pytest.mark.parametrize("name", ["embedded-fork", "embedded-server"])
def test_the_key_is_in_no_environment_of_lean(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAN_WORKER_KEY", "SECRET")
    session = BACKENDS[name]().start(OPENING, Limits())
    try:
        found = [Path(f"/proc/{pid}/environ").read_text() for pid in (session.pid, *descendants(session.pid))]
    finally:
        session.kill()
    assert all("LEAN_PATH=" in text and "SECRET" not in text for text in found)


def toolchain(folder: Path) -> tuple[Path, Path, dict[str, str]]:
    """A made-up toolchain and project, with the variables that Lake would set among those of a service."""
    sysroot, project = folder / "elan" / "toolchains" / "v4", folder / "project"
    for path in (sysroot / "bin", project / ".lake" / "build" / "lib", folder / "shared"):
        path.mkdir(parents=True)
    lake = {
        "LEAN_PATH": f"{project}/.lake/build/lib:{folder}/shared:relative::",
        "LEAN_SYSROOT": str(sysroot),
        "LD_LIBRARY_PATH": str(folder / "elsewhere"),
    }
    return sysroot, project, {**lake, "LEAN_WORKER_KEY": "SECRET", "LAKE_CACHE_KEY": "SECRET", "HOME": str(folder), "PATH": "/opt/bin"}


def test_an_installed_lean_may_read_its_toolchain_its_modules_and_its_project(tmp_path: Path) -> None:
    sysroot, project, found = toolchain(tmp_path)
    environment = installed_environment(found, sysroot)
    assert "SECRET" not in " ".join(environment.values()) and "HOME" not in environment
    assert environment["PATH"].split(os.pathsep)[0] == str(sysroot / "bin")
    files = installed_files(environment, sysroot, project)
    assert files == (sysroot, project, project / ".lake/build/lib", tmp_path / "shared")
    for name, path in {"in the project": project, "key": tmp_path, "passwd": Path("/etc")}.items():
        file = path / "passwd" if name == "passwd" else path / "file"
        if name != "passwd":
            file.write_text("SECRET")
        done = python(f"print(open({str(file)!r}).read())", SandboxConfig(read=files))
        assert ("SECRET" in done.stdout) == (name == "in the project"), name
        assert ("PermissionError" in done.stderr) == (name != "in the project"), name


def test_an_installed_lean_may_not_read_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sysroot, project, found = toolchain(tmp_path)
    monkeypatch.setenv("HOME", str(project / "home"))
    with pytest.raises(LeanWorkerError, match="contains the home folder"):
        installed_files(found, sysroot, project)
    with pytest.raises(LeanWorkerError, match="contains the home folder"):
        installed_files({"LEAN_PATH": "/"}, sysroot, None)


def test_what_each_backend_closes_off_is_tried_in_its_own_settings(tmp_path: Path) -> None:
    """The server must start its workers; the other processes start none. Without a read list nothing is closed to reading."""
    fork, server = (BACKENDS[name]() for name in ("embedded-fork", "embedded-server"))
    found = {part: examine(settings) for part, settings in confinements(fork).items()}
    assert set(found) == {"fast tier", "slow tier"}
    assert all(report.files and report.reading and report.network and report.processes for report in found.values()), found
    report = examine(server.inside)
    assert (report.files, report.reading, report.network, report.processes) == (True, True, True, False)
    assert closed_off(report) == "closes off files, reading, network\n          not: other processes can be started"
    report = examine(SandboxConfig())
    assert (report.files, report.reading, report.network) == (True, False, True)
    report = examine(SandboxConfig(read=(Path("/etc"),)))
    assert (report.files, report.reading) == (True, False)
    assert closed_off(examine(SandboxConfig("none"))).startswith("closes off nothing")


def test_a_process_that_may_start_no_other_signals_and_leaves_nobody() -> None:
    code = "import os\nfor name in ('kill', 'setsid', 'setpgid'):\n  try:\n    getattr(os, name)(*{args}[name])\n    print(name)\n"
    code += "  except PermissionError: pass\n"
    args = f"dict(kill=({os.getpid()}, 0), setsid=(), setpgid=(0, 0))"
    assert python(code.replace("{args}", args), SandboxConfig("none")).stdout.split() == ["kill", "setsid"]
    assert python(code.replace("{args}", args), SandboxConfig(max_processes=1)).stdout == ""
