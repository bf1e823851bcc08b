"""Commands `lean-worker export` and `lean-worker recheck`: proofs in the lean4export format, and the check of such a file."""

import sys
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Annotated, TextIO
from urllib.parse import quote

import msgspec
import tyro

from lean_worker.candidate import Refused, read_candidate
from lean_worker.embedded.build import IMPORTS, OPENING, ensure_core
from lean_worker.embedded.export import Exported, Theorem, export_proof, export_setting, export_source, recheck_export
from lean_worker.embedded.slow_phases import Setting, SlowLimits
from lean_worker.lexer import LexError, tokens
from lean_worker.protocol import Check
from lean_worker.sandbox.sandbox import Kind, SandboxConfig
from lean_worker.session import is_under
from lean_worker.source import SourceError
from lean_worker.statement import StatementError, split_imports, split_statement, without_module

SUFFIX = ".ndjson"

_LONGEST_NAME = 200


def export_command(
    file: Annotated[Path | None, tyro.conf.Positional] = None,
    jsonl: str | None = None,
    out: Path | None = None,
    theorem: tuple[str, ...] = (),
    timeout: float = 120.0,
    sandbox: Kind = "auto",
    require_sandbox: bool = False,
) -> int:
    """Write accepted proofs, with all that they depend on, in the lean4export format for independent kernels.

    The format is version 3.1.0 of lean4export, one JSON object per line, which nanoda reads. A proof is written only if it is accepted by
    the slow tier (or, for a file, compiles) and if Lean's kernel accepts every declaration of the written file, the core library's
    included. This uses the embedded Lean. Exit code 0: everything was written; 1: something was not; 2: invalid input.

    Args:
        file: .lean file to compile; `--theorem` selects theorems of it.
        jsonl: JSON Lines file of checks, as for `lean-worker check`, or `-` for standard input. One line of JSON is printed per check.
        out: with a .lean file: file to write, by default next to it with the ending .ndjson. With `--jsonl`: folder, which gets one file
            per accepted check, named after its id.
        theorem: names of theorems of the .lean file, in full or their last parts; by default all of them.
        timeout: wall-clock limit of each step (compiling, judging, writing, checking), in seconds.
        sandbox: sandbox that keeps Lean from files and network.
        require_sandbox: refuse to start if files and network cannot be closed off.
    """
    if (file is None) == (jsonl is None):
        raise SourceError("give either one .lean file or --jsonl with a file or `-`")
    with _setting(timeout, sandbox, require_sandbox) as setting:
        if file is not None:
            return _export_file(setting, file, out or file.with_suffix(SUFFIX), theorem)
        if out is None or theorem:
            raise SourceError("--jsonl needs --out with a folder, and no --theorem")
        assert jsonl is not None
        return _export_checks(setting, jsonl, out)


def recheck_command(
    file: Annotated[Path, tyro.conf.Positional], timeout: float = 600.0, sandbox: Kind = "auto", require_sandbox: bool = False
) -> int:
    """Check a file that `export` wrote: Lean's kernel checks every declaration, and those of the core library must equal the library's.

    Exit code 0: accepted; 1: refused, or no verdict; 2: invalid input.

    Args:
        file: file in the lean4export format, version 3.1.
        timeout: wall-clock limit, in seconds.
        sandbox: sandbox that keeps the check from files and network.
        require_sandbox: refuse to start if files and network cannot be closed off.
    """
    if not file.is_file():
        raise SourceError(f"{file}: is not a file; give one that `lean-worker export` wrote")
    with _setting(timeout, sandbox, require_sandbox) as setting:
        found = recheck_export(setting, file)
    if found.kind != "accepted":
        print(f"{file}: {found.kind}: {found.reason}")
        return 1
    print(f"{file}: accepted ({found.declarations} declarations, axioms: {', '.join(found.axioms) or 'none'})")
    for name in found.theorems:
        print(f"  {name}")
    return 0


def _setting(timeout: float, sandbox: Kind, require_sandbox: bool) -> AbstractContextManager[Setting]:
    try:
        limits = SlowLimits(seconds=timeout)
    except ValueError as error:
        raise SourceError(f"--timeout: {error}") from error
    return export_setting(ensure_core(), limits, SandboxConfig(sandbox, require_sandbox))


def _export_file(setting: Setting, file: Path, out: Path, names: tuple[str, ...]) -> int:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}; give a readable file") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{file}: byte {error.start} is not valid UTF-8; save the file as UTF-8") from error
    if not out.parent.is_dir():
        raise SourceError(f"--out: parent directory '{out.parent}' does not exist; create it first")
    if out.is_dir():
        raise SourceError(f"--out: '{out}' is a directory; give a file")
    targets = [_parts(name) for name in names] or None
    module = module_text(text, str(file))
    out.unlink(missing_ok=True)
    exported = export_source(setting, module, targets, out)
    for each in exported.theorems:
        print(f"{file}: {each.name or 'the file'}: {each.kind}" + (f": {each.reason}" if each.reason else ""))
    if not exported.theorems:
        raise SourceError(f"{file}: contains no theorem; add one")
    if exported.declarations:
        print(f"{out}: {exported.declarations} declarations, {out.stat().st_size} bytes")
    return 0 if exported.accepted else 1


def module_text(text: str, name: str) -> str:
    """Return a user's file as a module on the core library: prelude and import stand on its first line, and lines keep their numbers."""
    text = text.replace("\r\n", "\n")
    modules, rest = split_imports(without_module(text))
    unknown = [module for module in modules if module not in IMPORTS and not is_under(module, {"Init"})]
    if unknown:
        raise SourceError(f"{name}: module {unknown[0]} is not part of the embedded Lean; export with that project's own lean4export")
    return OPENING.replace("\n", " ") + rest


def _parts(name: str) -> tuple[str, ...]:
    try:
        return tuple(part for token in tokens(name) for part in token.parts)
    except LexError as error:
        raise SourceError(f"--theorem: {name!r} is not a name: {error}") from error


def _export_checks(setting: Setting, jsonl: str, folder: Path) -> int:
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"--out: '{folder}' is a file; give a folder")
    folder.mkdir(parents=True, exist_ok=True)
    well, seen = True, set[str]()
    with _opened(jsonl) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                check = msgspec.json.decode(line, type=Check)
            except msgspec.DecodeError as error:
                raise SourceError(f"{jsonl}:{number}: {error}; each line must be {{id, statement, proof, header?}}") from error
            if check.id in seen:
                raise SourceError(f"{jsonl}:{number}: id {check.id!r} occurs twice; give each check its own")
            seen.add(check.id)
            path = folder / file_name(check.id)
            path.unlink(missing_ok=True)
            exported = export_check(setting, check, path)
            well &= exported.accepted
            print(msgspec.json.encode(_answer(check, exported, path)).decode(), flush=True)
    return 0 if well else 1


def file_name(check_id: str) -> str:
    """Return the name of a check's file: its id, with special characters as percent codes, and the middle of a long one as a hash."""
    name = quote(check_id, safe=" ")
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 20]}-{sha256(check_id.encode()).hexdigest()[:16]}"
    return (name or "_") + SUFFIX


def _opened(name: str) -> AbstractContextManager[TextIO]:
    if name == "-":
        return nullcontext(sys.stdin)
    try:
        return open(name, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror}; give a readable file") from error


def export_check(setting: Setting, check: Check, out: Path) -> Exported:
    """Judge one check as the slow tier does and write it to `out` if it is accepted."""
    try:
        modules, header = split_imports(check.header)
        statement = split_statement(check.statement)
        candidate = read_candidate(check.proof, check.helpers, statement, header)
    except StatementError as error:
        return Exported((Theorem(check.id, error.kind, str(error)),))
    except Refused as refused:
        return Exported((Theorem(check.id, "forbidden", str(refused)),))
    unknown = [module for module in modules if module not in IMPORTS and not is_under(module, {"Init"})]
    if unknown:
        return Exported((Theorem(check.id, "unavailable", f"module {unknown[0]} is not part of the embedded Lean"),))
    return export_proof(setting, header, statement, candidate, out)


def _answer(check: Check, exported: Exported, path: Path) -> dict[str, object]:
    (theorem,) = exported.theorems
    answer: dict[str, object] = {"id": check.id, "kind": theorem.kind, "reason": theorem.reason, "theorem": theorem.name}
    answer["axioms"] = theorem.axioms
    if theorem.kind == "accepted":
        answer |= {"file": str(path), "declarations": exported.declarations}
    return answer
