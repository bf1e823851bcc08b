"""Parser for a user's .lean file: its theorems, each with the text before it, and those that are still `sorry`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

from lean_worker.errors import LeanWorkerError
from lean_worker.lexer import LexError, Token, tokens
from lean_worker.protocol import Check
from lean_worker.statement import split_imports

_DECLARERS = frozenset({"theorem", "lemma", "example"})
_LEADERS = frozenset({"private", "protected", "noncomputable", "nonrec", "@[", "open", "set_option"})
_OPENING, _CLOSING = frozenset("([{⟨"), frozenset(")]}⟩")


class SourceError(LeanWorkerError):
    """A .lean file that cannot be parsed; the message names file and line."""


def read_text(path: Path) -> str:
    """Return the text of a user's file. Raises SourceError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; give a readable file") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: byte {error.start} is not valid UTF-8; save the file as UTF-8") from error


@dataclass(frozen=True)
class Declaration:
    """One theorem of a file. `statement` ends in `:= by sorry`; the proof is `text[start:end]`, including its `:=` or first `|`.

    `header` is the text before the theorem and its documentation, cut from the whole `text` on access.
    """

    name: str
    text: str = field(repr=False)
    header_end: int
    statement: str
    proof: str
    start: int
    end: int
    line: int

    @property
    def header(self) -> str:
        return self.text[: self.header_end]

    @property
    def is_open(self) -> bool:
        """Whether the proof is only `sorry`."""
        return self.proof.removeprefix(":=").split() in (["sorry"], ["by", "sorry"])

    def check(self, proof: str | None = None) -> Check:
        """Return the check of another proof, or of the file's own."""
        return Check(f"{self.name}:{self.line}", self.statement, self.proof if proof is None else proof, self.header)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _body(text: str, name: str) -> str:
    """Return the file with its own `prelude` blanked, so that lines keep their numbers; imports at its top are left to the pool."""
    try:
        token_list = tokens(text)
    except LexError as error:
        raise SourceError(f"{name}:{_line(text, error.position)}: {error}; fix the file") from error
    first = token_list[0] if token_list else None
    body = text.replace("prelude", " " * len("prelude"), 1) if first and first.text == "prelude" else text
    _, rest = split_imports(body)
    late = next((token for token in tokens(rest) if token.text == "import"), None)
    if late is not None:
        raise SourceError(f"{name}:{_line(text, late.start)}: imports must be at the top of the file, one per line; move it there")
    return body


def _at_line_start(text: str, token: Token) -> bool:
    return token.start == 0 or text[token.start - 1] == "\n"


def _proof_start(token_list: list[Token], at: int, end: int) -> Token | None:
    depth = 0
    for index in range(at, end):
        text = token_list[index].text
        depth += (text in _OPENING or text == "@[") - (text in _CLOSING)
        if depth == 0 and text in (":=", "|"):
            return token_list[index]
    return None


def declarations(text: str, name: str = "the file", most: int | None = None) -> list[Declaration]:
    """Return the theorems, lemmas and examples that begin at the start of a line, in order, or the first `most` of them.

    Raises SourceError if the text cannot be parsed.
    """
    return list(islice(_declarations(_body(text, name)), most))


def _declarations(body: str) -> Iterator[Declaration]:
    token_list = tokens(body)
    margins = [
        i for i, token in enumerate(token_list) if _at_line_start(body, token) and (token.kind == "name" or token.text in ("@[", "#"))
    ]
    count, line, counted = 0, 1, 0
    for first, last in pairwise([*margins, len(token_list)]):
        keyword = next((i for i in range(first, last) if token_list[i].text in _DECLARERS), None)
        if keyword is None or not (keyword == first or token_list[first].text in _LEADERS):
            continue
        opening = _proof_start(token_list, keyword, last)
        if opening is None:
            continue
        begin = token_list[first].start
        line, counted = line + body.count("\n", counted, begin), begin
        count += 1
        named = token_list[keyword].text != "example" and keyword + 1 < len(token_list)
        end = token_list[last - 1].end
        yield Declaration(
            name=token_list[keyword + 1].text if named else f"example_{count}",
            text=body,
            header_end=_documented_from(body, token_list[first - 1].end if first else 0, begin),
            statement=f"{body[begin : opening.start]}:= by sorry",
            proof=body[opening.start : end],
            start=opening.start,
            end=end,
            line=line,
        )


def _documented_from(body: str, previous: int, begin: int) -> int:
    """Return where the documentation right before `begin` begins, or `begin` if there is none. The token before ends at `previous`."""
    close = previous + len(body[previous:begin].rstrip()) - 2
    if close < 0 or not body.startswith("-/", close):
        return begin
    # no other comment may end between the mark and the end
    after = body.rfind("-/", 0, close + 1)
    mark = body.find("/--", max(0, after - 2), close)
    return begin if mark < 0 else mark
