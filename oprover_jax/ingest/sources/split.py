"""Splitting of whole Lean texts into theorems: the text before a theorem, its statement, its proof.

`lean_worker.source` refuses anything it does not support, since it guards the kernel. Published sets contain millions of texts of every
Lean version, so this splitter only finds where things begin and end: comments and strings are blanked first, then declarations are found at
the beginnings of lines. It does not validate anything.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lean_worker.statement import name_after
from oprover_jax.statements.declarations import blanked, comment_end
from oprover_jax.statements.normalize import strip_comments

_SCOPED = r"(?:set_option[ \t]+\S+[ \t]+\S+|(?:open|omit|include|variable|universe|attribute|local)\b[^\n]*?)\s+in\b"
_ATTRIBUTES = r"@\[(?:[^\[\]]|\[[^\[\]]*\])*\]"
_BEFORE = rf"(?:(?:{_SCOPED}|{_ATTRIBUTES}|(?:private|protected|noncomputable|nonrec|public)\b)\s*)*"
_WORDS = ("theorem", "lemma", "example")
_THEOREM = re.compile(rf"^[ \t]*(?P<before>{_BEFORE})(?P<word>{'|'.join(_WORDS)})(?![\w.'])", re.MULTILINE)
_SCOPED_ONE = re.compile(_SCOPED)

# Words that end a proof. Those that may also begin a line of a tactic block (`open … in`, `set_option … in`) count at the margin only.
_ENDING = re.compile(
    r"""^(?:
      (?:\#|@\[|(?:def|abbrev|instance|end|open|set_option|variable|universe|attribute|local|scoped|macro|macro_rules|syntax|notation
        |infix[lr]?|prefix|postfix|elab|elab_rules|mutual|deriving|initialize|opaque|omit|include|import|private|protected|noncomputable
        |nonrec|public|unsafe|partial|run_cmd|alias|class|simproc|add_decl_doc|export|recall)(?![\w.']))
      | [ \t]*(?:theorem|lemma|example|namespace|section|axiom|inductive|structure)(?![\w.'])
    )""",
    re.MULTILINE | re.VERBOSE,
)
_POINT = re.compile(
    r":=|=>|←|<-|[(\[{⟨⦃]|[)\]}⟩⦄]|^[ \t]*\||(?<![\w.'])(?:let|letI|have|haveI|fun|match|∃|∀)(?![\w'])|[λ↦∃∀]", re.MULTILINE
)
_COMMENT = re.compile(r"/-[-!]?(.*)-/\s*\Z", re.DOTALL)
_FENCE = re.compile(r"\A\s*```(?:lean4?|tactics)?[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)

_NO_PROOF = frozenset({"", "by", "sorry", "by sorry", "by admit", "by stop"})


@dataclass(frozen=True)
class Theorem:
    """One theorem, lemma or example of a text.

    `header` is all text before it; `options` are the `set_option … in`, `open … in` and similar lines right before it, rewritten without
    `in`; `statement` ends in `:= by sorry`; `proof` is the text after `:=`, or match alternatives from their first `|`, and
    empty if the text has none; `informal` is the comment right before.
    """

    name: str
    header: str
    statement: str
    proof: str
    options: str = ""
    informal: str = ""
    line: int = 1

    @property
    def context(self) -> str:
        """Header and options: the text required before the statement."""
        return "\n\n".join(part for part in (self.header, self.options) if part)


def unfenced(text: str) -> str:
    """Return `text` without a surrounding Markdown fence, and with line ends as in Lean."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    match = _FENCE.match(text)
    return match[1] if match else text


def theorems(text: str) -> list[Theorem]:
    """Return the theorems of a text in order."""
    if not any(word in text for word in _WORDS):
        return []
    clear = blanked(text)
    out = []
    for match in _THEOREM.finditer(clear):
        ending = _ENDING.search(clear, match.end())
        out.append(_theorem(text, clear, match, ending.start() if ending else len(text)))
    return out


def the_one(found: Sequence[Theorem], name: str = "") -> Theorem | None:
    """Return the last theorem called `name`, or the last one; None if there is none."""
    if name:
        return next((theorem for theorem in reversed(found) if theorem.name == name), None)
    return found[-1] if found else None


def commands(text: str) -> list[str]:
    """Return the lines that begin a command, without comments and the contents of strings."""
    clear = blanked(text)
    return [clear[match.start() :].split("\n", 1)[0] for match in _ENDING.finditer(clear)]


def bare(proof: str) -> str:
    """Return a proof without the `:=` before it, or "" if it is only a placeholder."""
    body = proof.strip().removeprefix(":=").strip()
    return "" if " ".join(blanked(body).split()) in _NO_PROOF else body


def _options(text: str, match: re.Match[str]) -> str:
    at = match.start("before")
    return "\n".join(
        text[at + option.start() : at + option.end()].removesuffix("in").rstrip() for option in _SCOPED_ONE.finditer(match["before"])
    )


def _modifiers(text: str, match: re.Match[str]) -> str:
    """Return attributes and words such as `private` before a declaration, without scoped commands and comments."""
    before = _SCOPED_ONE.sub("", strip_comments(text[match.start("before") : match.start("word")])).strip()
    return f"{before} " if before else ""


def _theorem(text: str, clear: str, match: re.Match[str], end: int) -> Theorem:
    begin = match.start("before")
    header_end = len(clear[:begin].rstrip())
    comment = _COMMENT.search(_last_comment(text[header_end : match.start("word")]))
    name = name_after(clear, match.end())[0] if match["word"] != "example" else ""
    start = _proof_start(clear, match.end(), end)
    if start is None:
        start = end = len(clear[:end].rstrip())
        statement = ""
    else:
        # a comment to the end of the line would swallow the text after it
        body = text[match.start("word") : start].rstrip()
        last = match.start("word") + len(body) - 1
        statement = f"{_modifiers(text, match)}{body}{' ' if clear[last] == text[last] else chr(10)}:= by sorry"
    proof = text[start : _with_remark(text, len(clear[:end].rstrip()))]
    return Theorem(
        name=name,
        header=text[:header_end].strip("\n"),
        statement=statement,
        proof=bare(proof),
        options=_options(text, match),
        informal=comment[1].strip() if comment else "",
        line=text.count("\n", 0, begin) + 1,
    )


def _with_remark(text: str, end: int) -> int:
    """Return `end`, or the end of its line if only a remark follows there."""
    line = text.find("\n", end)
    line = len(text) if line < 0 else line
    return line if text[end:line].lstrip().startswith("--") else end


def _last_comment(gap: str) -> str:
    """Return the last block comment between two declarations, from its opening mark."""
    at = 0
    last = ""
    while (begin := gap.find("/-", at)) >= 0:
        at = comment_end(gap, begin)
        last = gap[begin:at]
    return last


def _proof_start(clear: str, begin: int, end: int) -> int | None:
    """Return where the proof of a declaration begins: at the first `:=` outside binders and `let`, or at its match alternatives."""
    depth, lets = 0, 0
    for point in _POINT.finditer(clear, begin, end):
        word = point[0].strip()
        if word in "([{⟨⦃":
            depth += 1
        elif word in ")]}⟩⦄":
            depth -= 1
        elif depth > 0:
            continue
        elif word in ("let", "letI", "have", "haveI"):
            lets += 1
        elif word in (":=", "←", "<-") and lets:
            lets -= 1
        elif word == ":=":
            return point.start()
        elif word == "|" and _is_alternative(_POINT.finditer(clear, point.end(), end)):
            return point.end() - 1
    return None


def _is_alternative(following: Iterator[re.Match[str]]) -> bool:
    """Return whether a line that begins with a bar is a match alternative, and not an absolute value: a pattern ends in `=>`."""
    depth = 0
    for point in following:
        word = point[0].strip()
        depth += (word in "([{⟨⦃") - (word in ")]}⟩⦄")
        if depth == 0 and word not in ")]}⟩⦄|":
            return word == "=>"
    return False
