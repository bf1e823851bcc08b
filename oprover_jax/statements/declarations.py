"""Light reading of a prover's Lean text: whether it is a bare proof or whole declarations, and which theorems it declares.

Lean decides what a text means; here it is only shown, compared and named. Everything takes time linear in the length of the text.
"""

import re
from dataclasses import dataclass

from lean_worker import statement as lean_statement
from lean_worker.statement import StatementError, name_after, split_statement

GOAL = "goal"  # name under which a policy sees every theorem

_MARK = re.compile(r"""--|/-|'(?:"|\\"|\\\\)'|\"""")
_NESTED = re.compile(r"/-|-/")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_VISIBLE = re.compile(r"[^\n]")

_DECLARER = re.compile(r"(?<![\w.'!?«])(?:theorem|lemma|example)(?![\w.'!?»])")
_WINDOW = 40  # characters before a keyword that decide whether it begins a declaration
_BEFORE = re.compile(r"(?:\A|\n|\]|(?<![\w.'])(?:in|private|protected|noncomputable|nonrec|public|meta|scoped|local))[ \t]*\Z")
_COMMAND = re.compile(
    r"\s*(?:#\w|@\[|(?:theorem|lemma|example|def|abbrev|instance|structure|inductive|class|axiom|opaque|import|module|prelude|namespace"
    r"|section|open|universe|variable|set_option|attribute|local|scoped|private|protected|public|meta|noncomputable|nonrec|unsafe|partial"
    r"|mutual|notation|infixl?r?|prefix|postfix|macro|syntax|omit|include|export|alias|end)(?![\w.'!?]))"
)
_BEFORE_A_TERM = re.compile(r"\s*(?:open|set_option)\b")
_HOLE = re.compile(r":=\s*(?:by\s+)?sorry\s*\Z")
_IMPORT = re.compile(r"(?m)^(?:public[ \t]+)?import[ \t][^\n]*\n?")
_BOUND = re.compile(rf"(?<![\w.'])(?:have|let|intros?|rintro|fun|λ|suffices|set|with)\s+{GOAL}(?![\w'])|(?<![\w.']){GOAL}\s*:")


@dataclass(frozen=True)
class Declared:
    """A theorem, lemma or example in a text: its keyword begins at `start`, its name (empty for an example) at `name_start`."""

    name: str
    start: int
    name_start: int

    @property
    def end(self) -> int:
        """Return where the name ends."""
        return self.name_start + len(self.name)


def blanked(text: str) -> str:
    """Return `text` with comments and the contents of strings replaced by spaces; every other character keeps its place."""
    parts: list[str] = []
    at = 0
    while match := _MARK.search(text, at):
        begin = match.start()
        parts.append(text[at:begin])
        if match[0] == "--":
            end = text.find("\n", begin)
            end = len(text) if end < 0 else end
        elif match[0] == "/-":
            end = comment_end(text, begin)
        elif match[0] == '"':
            literal = _STRING.match(text, begin)
            end = literal.end() if literal else begin + 1
        else:  # a character literal
            end = match.end()
        inner = text[begin:end]
        parts.append(inner[0] + _VISIBLE.sub(" ", inner[1:-1]) + inner[-1] if inner[0] in "\"'" and end > begin + 1 else _hidden(inner))
        at = end
    parts.append(text[at:])
    return "".join(parts)


def comment_end(text: str, begin: int) -> int:
    """Return where the block comment at `begin` ends; an unclosed one ends with the text."""
    depth, at = 0, begin
    while match := _NESTED.search(text, at):
        depth += 1 if match[0] == "/-" else -1
        at = match.end()
        if depth == 0:
            return at
    return len(text)


def declared(text: str) -> list[Declared]:
    """Return the theorems, lemmas and examples of a text, in order."""
    return _declared(blanked(text))


def is_declaration(text: str) -> bool:
    """Return True if `text` consists of whole commands, such as a file, and False if it is a bare proof: a term or a tactic block."""
    clear = blanked(text)
    if not _COMMAND.match(clear):
        return False
    return not _BEFORE_A_TERM.match(clear) or bool(_declared(clear))  # `open Nat in rfl` is a term


def begins_with_command(line: str) -> bool:
    """Return True if the text begins with the first word of a command."""
    return _COMMAND.match(line) is not None


def name_of(formal: str) -> str:
    """Return the name of the theorem that `formal` states, "" if it has none."""
    stated = _stated(formal)
    return "" if stated is None else stated.name


def named_goal(formal: str) -> str:
    """Return a statement with its theorem under the name that prompts show; definitions and what cannot be read stay as they are."""
    return formal if _stated(formal) is None else lean_statement.renamed(formal, GOAL)


def signature_of(formal: str) -> str:
    """Return binders and type of the theorem that `formal` states, without white space; "" if it cannot be read."""
    try:
        return "".join(blanked(split_statement(formal).after).split())
    except StatementError:
        return ""


def names_of(formal: str) -> frozenset[str]:
    """Return the names under which an answer may restate a theorem: its own, also within its namespace, and the one that prompts show."""
    name = name_of(formal)
    return frozenset({name, name.rpartition(".")[2], GOAL} - {""})


def target(text: str, formal: str) -> Declared | None:
    """Return the last theorem in `text` under a name of `formal`, else the last theorem; None if there is none."""
    found, names = declared(text), names_of(formal)
    return next((each for each in reversed(found) if each.name in names), found[-1] if found else None)


def has_hole(text: str) -> bool:
    """Return True if the text ends in `:= sorry` or `:= by sorry`."""
    return _HOLE.search(blanked(text).rstrip()[-200:]) is not None


def stated_proof(formal: str, proof: str) -> str:
    """Return a bare proof with its theorem: in place of the `sorry` of `formal`. Whole declarations are returned as they are."""
    if is_declaration(proof):
        return proof
    head = re.sub(r":=\s*(?:by\s+)?sorry\s*$", "", formal)
    return head + proof.lstrip() if proof.lstrip().startswith((":=", "|")) else head + ":= " + proof


def without_imports(text: str) -> str:
    """Return the text without its import lines, for a place below other commands."""
    return _IMPORT.sub("", text).lstrip("\n")


def split_restated(formal: str, text: str) -> tuple[str, str] | None:
    """Return the text before the theorem and its bare proof, if `text` ends in a theorem that repeats `formal` up to white space.

    None if the theorem is stated in other words, or if a command follows it: only Lean could take such a text apart.
    """
    at, signature = target(text, formal), signature_of(formal)
    if at is None or not signature or not is_declaration(text):
        return None
    clear = blanked(text)
    end = _after(clear, at.end, signature)
    if end is None or not clear[end:].lstrip().startswith((":=", "|")):
        return None
    if any(begins_with_command(line) for line in clear[end:].split("\n")[1:] if line[:1].strip()):
        return None
    line_start = text.rfind("\n", 0, at.start) + 1
    return text[:line_start], text[end:].strip()


def own_proof(formal: str, proof: str) -> str:
    """Return the proof of the theorem itself, without a restated theorem and helpers before it where these can be told apart."""
    parts = split_restated(formal, proof) if is_declaration(proof) else None
    return (parts[1] if parts else proof).strip().removeprefix(":=").strip()


def bare_proof(formal: str, proof: str) -> str:
    """Return the proof without a restated theorem around it, to recognise equal proofs; a proof with helpers is returned as it is."""
    parts = split_restated(formal, proof) if is_declaration(proof) else None
    has_helpers = parts is not None and is_declaration(without_imports(parts[0]))
    return proof.strip() if has_helpers else own_proof(formal, proof)


def renamed(text: str, old: frozenset[str], new: str) -> str:
    """Return whole declarations with the last theorem under a name in `old` renamed to `new`, together with its uses.

    A name with dots would not be valid where `goal` is also a local name; then only the declaration is renamed.
    """
    clear = blanked(text)
    found = [each for each in _declared(clear) if each.name in old]
    if not found or found[-1].name == new or not new:
        return text
    last = found[-1]
    places = [last.name_start]
    if "." not in new or not _BOUND.search(clear[last.end :].partition(":=")[2]):
        uses = re.finditer(rf"(?<![\w.'!?«]){re.escape(last.name)}(?![\w'!?»])", clear)
        places = sorted({last.name_start, *(use.start() for use in uses)})
    parts, at = [], 0
    for place in places:
        parts += [text[at:place], new]
        at = place + len(last.name)
    return "".join([*parts, text[at:]])


def _declared(clear: str) -> list[Declared]:
    out = []
    for match in _DECLARER.finditer(clear):
        start = match.start()
        if not _BEFORE.search(clear[max(0, start - _WINDOW) : start]):
            continue
        name, end = ("", match.end()) if match[0] == "example" else name_after(clear, match.end())
        out.append(Declared(name, start, end - len(name)))
    return out


def _stated(formal: str) -> lean_statement.Statement | None:
    """Return the named theorem that `formal` states, or None."""
    try:
        stated = split_statement(formal)
    except StatementError:
        return None
    return stated if stated.proposition and stated.named else None


def _after(clear: str, at: int, signature: str) -> int | None:
    """Return where `signature` ends in the text from `at`, both without white space; None if the text differs."""
    for character in signature:
        while at < len(clear) and clear[at].isspace():
            at += 1
        if at == len(clear) or clear[at] != character:
            return None
        at += 1
    return at


def _hidden(text: str) -> str:
    return _VISIBLE.sub(" ", text)
