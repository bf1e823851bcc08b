"""What the sandbox must refuse is tried for real, inside and, to show that the attempt can succeed, outside."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lean_worker.document import Document
from lean_worker.embedded.build import OPENING, ensure_core
from lean_worker.embedded.process import LeanProcess
from lean_worker.sandbox import sandbox
from lean_worker.sandbox.sandbox import SandboxConfig, SandboxError, SandboxReport, detect, python_files, wrap
from lean_worker.session import Limits

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
    assert found == dict.fromkeys(("changed", "read", "written_inside", "connected", "forked", "many"), True)


@pytest.mark.parametrize("kind", KINDS)
def test_inside_no_attempt_succeeds(kind: sandbox.Kind, tmp_path: Path) -> None:
    found = could(detect(kind), tmp_path)
    assert found.pop("written_inside") and not found.pop("forked")
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
    """A document that binds a native function makes a folder on the host; in the sandbox it cannot."""
    process = LeanProcess(ensure_core(), Limits(), SandboxConfig(kind))
    try:
        output = process.run(Document(OPENING + WRITES.replace("{path}", str(tmp_path / "made")), "marker", 0, ()))
    finally:
        process.kill()
    assert (output.outcome, output.code) == ("exit", 0)
    assert [path.name for path in tmp_path.iterdir()] == (["made"] if kind == "none" else [])


def test_python_itself_is_readable() -> None:
    assert {sys.prefix, sys.base_prefix} <= set(python_files()) and all(os.path.isabs(path) for path in python_files())
