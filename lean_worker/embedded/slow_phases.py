"""The processes of the slow tier: compile one module to an .olean, and judge two .olean files, each in a sandbox of its own."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from lean_worker.embedded.build import NAME, CoreLibrary, lean_command, lean_environment
from lean_worker.protocol import ALLOWED_AXIOMS, Kind
from lean_worker.sandbox.sandbox import SandboxConfig, settle, wrap

MODULE = "Judged"
OLEAN = f"{MODULE}.olean"

_JUDGE = Path(__file__).parent / "judge.py"
_SANDBOX_REFUSED = 125
_FILE_BYTES = 256 << 20


@dataclass(frozen=True)
class SlowLimits:
    """For each of the three phases: `seconds` of wall clock, `heartbeats` of Lean (thousands of small allocations), address space."""

    seconds: float = 60.0
    heartbeats: int = 20_000
    memory_bytes: int = 8 << 30


@dataclass(frozen=True)
class Setting:
    """What every phase needs: `folder` is a temporary one of the harness, which no phase may write but where it is told to."""

    core: CoreLibrary
    folder: Path
    limits: SlowLimits = field(default_factory=SlowLimits)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)


@dataclass(frozen=True)
class _Ran:
    """How a process ended: `kind` is None where it ended by itself with exit code `code`."""

    kind: Kind | None
    reason: str
    code: int
    output: str


def _run(setting: Setting, command: list[str], writable: Path | None, read: tuple[Path, ...]) -> _Ran:
    core = setting.core
    config = replace(
        setting.sandbox,
        writable=writable,
        read=(core.library.path.parent, core.path, *read, *setting.sandbox.read),
        max_processes=1,
        memory_bytes=setting.limits.memory_bytes,
    )
    with tempfile.TemporaryFile(dir=setting.folder) as output:
        process = subprocess.Popen(
            wrap(command, config),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=lean_environment(core.path),
            cwd="/",
            start_new_session=True,
        )
        with contextlib.suppress(OSError):  # a process that has ended needs no limit
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
            if settle(config).kind == "none":
                resource.prlimit(process.pid, resource.RLIMIT_AS, (setting.limits.memory_bytes,) * 2)
        try:
            code = process.wait(setting.limits.seconds)
        except subprocess.TimeoutExpired:
            return _Ran("timeout", f"no answer within {setting.limits.seconds:g} s", 0, "")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if code == _SANDBOX_REFUSED and setting.sandbox.kind != "none":
        return _Ran("unavailable", text.strip() or "the sandbox did not start", code, text)
    if code < 0 or code > 128:
        return _Ran("crash", f"died by signal {-code if code < 0 else code - 128}", code, text)
    return _Ran(None, "", code, text)


def _first_error(output: str) -> str | None:
    for line in output.splitlines():
        try:
            message = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(message, dict) and message.get("severity") == "error":
            return f"{message['pos']['line']}:{message['pos']['column']}: {message['data']}"
    return None


def compile_module(setting: Setting, folder: Path, text: str) -> tuple[Kind | None, str]:
    """Compile a module to OLEAN in `folder`, which must not exist yet; a kind and a reason where it did not come to that."""
    folder.mkdir()
    source, target = folder / f"{MODULE}.lean", folder / f"{MODULE}.olean"
    source.write_text(text, encoding="utf-8")
    settings = {"maxHeartbeats": setting.limits.heartbeats, "Elab.async": "false", "linter.all": "false", "relaxedAutoImplicit": "false"}
    options = ["--json", "-j1", *(f"-D{name}={value}" for name, value in settings.items())]
    command = lean_command(setting.core.library, *options, "-R", folder, "-o", target, source)
    ran = _run(setting, command, folder, (folder,))
    if ran.kind:
        return ran.kind, f"Lean {ran.reason}"
    wrong = _first_error(ran.output)
    if wrong is not None:
        return "error", wrong
    if ran.code or target.is_symlink() or not target.is_file():
        return "crash", f"Lean ended with exit code {ran.code} and left no .olean"
    return None, ""


@dataclass(frozen=True)
class Judgement:
    """The judge's answer: `axioms` below the theorem, `rechecked` the constants that the kernel checked again."""

    kind: Kind
    reason: str = ""
    axioms: tuple[str, ...] = ()
    rechecked: tuple[str, ...] = ()


def judge_files(setting: Setting, statement: Path, candidate: Path, target: tuple[str | int, ...]) -> Judgement:
    """Judge a compiled candidate against a compiled statement, in a fresh process that runs nothing of either.

    `target` is the end of the theorem's name in the statement's file; the candidate's file must hold the very same full name.
    """
    core = setting.core
    request = {
        "library": str(core.library.path),
        "core": str(core.path / NAME / "All.olean"),
        "statement": str(statement),
        "candidate": str(candidate),
        "target": target,
        "allowed": sorted(ALLOWED_AXIOMS),
    }
    command = [sys.executable, "-I", "-S", "-W", "ignore", str(_JUDGE), json.dumps(request)]
    ran = _run(setting, command, None, (statement, candidate))
    if ran.kind:
        return Judgement(ran.kind, f"the judge {ran.reason}")
    try:
        answer = json.loads(ran.output.strip().splitlines()[-1])
        return Judgement(answer["kind"], answer["reason"], tuple(answer["axioms"]), tuple(answer["rechecked"]))
    except (IndexError, KeyError, TypeError, ValueError):
        return Judgement("crash", f"the judge ended with exit code {ran.code} and no answer: {ran.output.strip()[-300:]}")
