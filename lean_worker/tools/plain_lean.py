"""Plain Lean, the measure of every verdict: the `lean` command on a raw text, without any part of the harness, and `#print axioms`."""

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lean_worker.document import Raw
from lean_worker.embedded.build import OPENING, CoreLibrary, ensure_core, lean_command, lean_environment
from lean_worker.errors import LeanWorkerError
from lean_worker.files import FileReport
from lean_worker.protocol import ALLOWED_AXIOMS, Check, Message
from lean_worker.statement import attach, split_imports, split_statement, without_module

_AUDIT = re.compile(r"'([^\n]*)' (?:does not depend on any axioms|depends on axioms: \[([^\]]*)\])\s*", re.S)
_SORRY = re.compile("declaration uses ['`]sorry['`]")
# elaborated in parallel, a proof that mentions universes of its own is an internal error of Lean
_OPTIONS = ("linter.all=false", "Elab.async=false")
_STRICT = ("relaxedAutoImplicit=false",)


class PlainLeanFailed(LeanWorkerError):
    """Plain Lean crashed, or did not finish in time."""


@dataclass(frozen=True)
class PlainFile:
    """What plain Lean says about a text: its messages, and the axioms of the named theorems; those that do not exist are missing."""

    messages: tuple[Raw, ...]
    axioms: dict[str, tuple[str, ...]]

    @property
    def complaints(self) -> list[tuple[int, int, str]]:
        """Line, column and text of each error, and of each warning about a hole."""
        return sorted(_complaint(m["pos"]["line"], m["pos"]["column"], m["severity"], m["data"]) for m in self.messages if _matters(m))


def _matters(message: Raw) -> bool:
    return message["severity"] == "error" or bool(_SORRY.match(message["data"]))


def _complaint(line: int, column: int, severity: str, text: str) -> tuple[int, int, str]:
    return line, column, f"{severity}: {re.sub(r'[?_]m[.][0-9]+|[?][0-9]+', '?', text)}"


def _axioms(audit: re.Match[str]) -> tuple[str, ...]:
    return tuple(name.strip() for name in audit[2].split(",")) if audit[2] else ()


def run_plain(text: str, core: CoreLibrary | None = None, options: Sequence[str] = (), seconds: float = 600.0) -> list[Raw]:
    """Return Lean's messages about a text; lines count from 1 in the text.

    Args:
        text: a file; its imports and `module` are blanked, as the core library takes their place.
        core: the compiled core library.
        options: Lean options, as `name=value`.
        seconds: the time limit.

    Raises:
        PlainLeanFailed: Lean crashes, or does not finish in time.
    """
    core = core or ensure_core()
    _, body = split_imports(without_module(text))
    flags = [word for option in (*_OPTIONS, *options) for word in ("-D", option)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Plain.lean"
        path.write_bytes((OPENING + body).encode())
        command = lean_command(core.library, "--json", *flags, path)
        try:
            done = subprocess.run(command, env=lean_environment(core.path), capture_output=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise PlainLeanFailed(f"plain Lean did not finish within {seconds:g} s; raise the time limit") from error
    if done.returncode not in (0, 1):
        raise PlainLeanFailed(f"plain Lean ended with exit code {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    messages: list[Raw] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    for message in messages:
        for name in ("pos", "endPos"):
            if message.get(name):
                message[name]["line"] -= OPENING.count("\n")
    return messages


def read_plain(text: str, names: Sequence[str], core: CoreLibrary | None = None, options: Sequence[str] = ()) -> PlainFile:
    """Run plain Lean on a text with `#print axioms` for these theorems, given by their full names. Raises PlainLeanFailed."""
    text = text.rstrip() + "\n"
    last = text.count("\n")
    audit = "".join(f"set_option pp.fullNames true in #print axioms _root_.{name}\n" for name in names)
    messages = run_plain(text + audit, core, options)
    axioms = {}
    for message in messages:
        found = _AUDIT.fullmatch(message["data"])
        if message["pos"]["line"] > last and found:
            number = message["pos"]["line"] - last - 1
            axioms[names[number]] = _axioms(found)
    return PlainFile(tuple(message for message in messages if message["pos"]["line"] <= last), axioms)


def accepts_pair(check: Check, core: CoreLibrary | None = None) -> bool:
    """Return whether plain Lean accepts a statement, after its header, with a bare proof as its end. Raises PlainLeanFailed.

    A theorem whose name the library has already is tried in a namespace, since a benchmark may have been written for another library.
    """
    statement = split_statement(check.statement)
    audit = f"set_option pp.fullNames true in #print axioms {statement.name}\n" if statement.named else ""
    stated = f"{attach(check.statement, check.proof)}\n{audit}"
    messages = run_plain(f"{check.header}\n{stated}", core, _STRICT)
    if any(message["data"] == f"`{statement.name}` has already been declared" for message in messages):
        messages = run_plain(f"{check.header}\nnamespace Declared_again\n{stated}", core, _STRICT)
    if any(_matters(message) for message in messages):
        return False
    audits = [found for message in messages if (found := _AUDIT.fullmatch(message["data"]))]
    return not statement.named or (bool(audits) and ALLOWED_AXIOMS.issuperset(_axioms(audits[-1])))


def elaborates(check: Check, core: CoreLibrary | None = None) -> bool:
    """Return whether plain Lean accepts the statement of a pair with its own `sorry`, after its header. Raises PlainLeanFailed."""
    return all(message["severity"] != "error" for message in run_plain(f"{check.header}\n{check.statement}\n", core, _STRICT))


def differences(text: str, report: FileReport, core: CoreLibrary | None = None) -> list[str]:
    """Return in what a report on a file differs from what plain Lean says, one sentence each. Raises PlainLeanFailed."""
    named = [theorem for theorem in report.theorems if theorem.name]
    plain = read_plain(text, [theorem.name for theorem in named], core)
    ours = sorted(_of_ours(message) for message in report.messages if message.severity == "error" or _SORRY.match(message.text))
    complaints = plain.complaints
    if complaints != ours:  # what follows a file that ends in the middle of something changes what Lean says of its end
        complaints = PlainFile(tuple(run_plain(text, core)), {}).complaints
    found = [f"only plain Lean says {each}" for each in complaints if each not in ours]
    found += [f"only the report says {each}" for each in ours if each not in complaints]
    for theorem in named:
        axioms = plain.axioms.get(theorem.name)
        spoiled = any(message.severity == "error" for message in theorem.messages)
        if axioms is None and not spoiled:
            found.append(f"plain Lean does not know `{theorem.name}`, which is {theorem.kind}")
        elif axioms is not None and not spoiled and theorem.accepted != ALLOWED_AXIOMS.issuperset(axioms):
            found.append(f"`{theorem.name}` depends on {list(axioms)}, but is {theorem.kind}")
        elif axioms is not None and not spoiled and set(axioms) != set(theorem.axioms):
            found.append(f"`{theorem.name}` depends on {list(axioms)}, not on {list(theorem.axioms)}")
    return found


def _of_ours(message: Message) -> tuple[int, int, str]:
    return _complaint(message.line, message.column, message.severity, message.text)
