"""Takes a user's own .lean file apart: its theorems, each with what stands before it, and those that are still `sorry`."""

import re
from dataclasses import dataclass

from lean_worker.errors import LeanWorkerError
from lean_worker.lexer import LexError, Token, tokens
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.statement import split_imports

_DECLARERS = frozenset({"theorem", "lemma", "example"})
_LEADERS = frozenset({"private", "protected", "noncomputable", "nonrec", "@[", "open", "set_option"})
_OPENING, _CLOSING = frozenset("([{⟨"), frozenset(")]}⟩")
_DOCUMENTATION = re.compile(r"/--(?:(?!-/).)*-/\s*\Z", re.S)


class SourceError(LeanWorkerError):
    """A .lean file that cannot be read; the message names file and line."""


@dataclass(frozen=True)
class Declaration:
    """One theorem of a file. `statement` ends in `:= by sorry`; the proof stands at `text[start:end]`, its `:=` or first `|` included."""

    name: str
    header: str
    statement: str
    proof: str
    start: int
    end: int
    line: int

    @property
    def is_open(self) -> bool:
        """Whether the proof is only `sorry`."""
        return self.proof.removeprefix(":=").split() in (["sorry"], ["by", "sorry"])

    def check(self, proof: str | None = None) -> Check:
        """The check of another proof, or of the file's own."""
        return Check(f"{self.name}:{self.line}", self.statement, self.proof if proof is None else proof, self.header)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _body(text: str, name: str) -> str:
    """The file without its own `prelude`, blanked so that lines stay where they are; imports at its top are the pool's to judge."""
    try:
        found = tokens(text)
    except LexError as error:
        raise SourceError(f"{name}:{_line(text, error.position)}: {error}; correct the file") from error
    first = found[0] if found else None
    body = text.replace("prelude", " " * len("prelude"), 1) if first and first.text == "prelude" else text
    _, rest = split_imports(body)
    late = next((token for token in tokens(rest) if token.text == "import"), None)
    if late is not None:
        raise SourceError(f"{name}:{_line(text, late.start)}: an import must stand at the top, one to a line; move it there")
    return body


def _at_line_start(text: str, token: Token) -> bool:
    return token.start == 0 or text[token.start - 1] == "\n"


def _proof_start(found: list[Token], at: int, end: int) -> Token | None:
    depth = 0
    for index in range(at, end):
        text = found[index].text
        depth += (text in _OPENING or text == "@[") - (text in _CLOSING)
        if depth == 0 and text in (":=", "|"):
            return found[index]
    return None


def declarations(text: str, name: str = "the file") -> list[Declaration]:
    """The theorems, lemmas and examples that begin at the margin, in order. Raises SourceError where the text cannot be read."""
    body = _body(text, name)
    found = tokens(body)
    margins = [i for i, token in enumerate(found) if _at_line_start(body, token) and (token.kind == "name" or token.text in ("@[", "#"))]
    out: list[Declaration] = []
    for place, first in enumerate(margins):
        last = margins[place + 1] if place + 1 < len(margins) else len(found)
        keyword = next((i for i in range(first, last) if found[i].text in _DECLARERS), None)
        if keyword is None or not (keyword == first or found[first].text in _LEADERS):
            continue
        opening = _proof_start(found, keyword, last)
        if opening is None:
            continue
        begin = found[first].start
        documentation = _DOCUMENTATION.search(body, 0, begin)
        named = found[keyword].text != "example" and keyword + 1 < len(found)
        end = found[last - 1].end
        out.append(
            Declaration(
                name=found[keyword + 1].text if named else f"example_{len(out) + 1}",
                header=body[: documentation.start() if documentation else begin],
                statement=f"{body[begin : opening.start]}:= by sorry",
                proof=body[opening.start : end],
                start=opening.start,
                end=end,
                line=_line(body, begin),
            )
        )
    return out


def open_declarations(text: str, pool: Pool, name: str = "the file") -> list[Declaration]:
    """The theorems whose proof is `sorry`. Raises SourceError where the file, `sorry`s included, does not elaborate."""
    found = [declaration for declaration in declarations(text, name) if declaration.is_open]
    header = _body(text, name)
    report = pool.check_statement("theorem end_of_file : True := by sorry", header)
    if report.elaborates is False:
        message = report.messages[0]
        line = max(1, message.line + header.rstrip("\n").count("\n") + 1)
        raise SourceError(f"{name}:{line}: {message.text.splitlines()[0]}; correct the file before its `sorry`s can be filled")
    if report.elaborates is None:
        raise SourceError(f"{name}: Lean gave no answer about this file; raise the time limit")
    return found


def filled(text: str, proofs: dict[int, str]) -> str:
    """The text with new proofs in place: keys are `Declaration.start`, values proofs as checked."""
    parts, at = [], 0
    for declaration in declarations(text):
        proof = proofs.get(declaration.start)
        if proof is not None:
            body = proof.strip()
            separator = "" if body.startswith((":=", "|")) else ":= "
            parts += [text[at : declaration.start], "\n  " if body.startswith("|") else "", separator, body]
            at = declaration.end
    return "".join(parts) + text[at:]
