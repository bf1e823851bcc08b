"""Proof filter: refuses what a candidate may not contain, by position and token, before Lean sees it.

What a candidate proves is decided elsewhere: the kernel compares the type of the proved theorem with the statement, the audit collects its
axioms, and a sandbox confines the process. The filter stops what these cannot see:

- code that runs while Lean elaborates, and native code: it could forge what the process reports;
- options that switch the kernel off (`debug.skipKernelTC`), or print;
- commands that change how the following text is read: behind a candidate follows the judge's own text on backends with one document;
- tactics that leave a hole, search or print, as they are no proof, for a better reason than Lean's.

Where Lean may tokenize a text differently from the lexer, every word from there on counts, in comments and strings as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lean_worker.allowed import (
    ATTRIBUTES,
    COMMANDS,
    CONTINUATIONS,
    DECLARATIONS,
    RUNNERS,
    begins_command,
    option_allowed,
    option_name,
    reaches_effects,
    read_attributes,
    refused_class,
    words,
)
from lean_worker.lexer import CLOSED_SYMBOLS, NEVER, Reading, Token, read, words_from
from lean_worker.tactic_rules import evaluated_value, tactic_reason

MAX_PROOF_LENGTH = 60_000

HOLES = frozenset({"sorry", "sorryAx", "admit"})
_DECLARERS = words("namespace theorem lemma def abbrev instance structure class inductive coinductive alias irreducible_def")
_OPEN_WORDS = words("scoped hiding renaming private from")
_OPEN_SYMBOLS = frozenset("(),→->")
_PREFIX_OPERATORS = frozenset("λΠΣ←¬∀∃∑∏⊢↑⇑↥∂∫⋃⋂⨆⨅√")
_ENDS_A_TERM = frozenset(")]}⟩›")
_NEEDS_MORE = words("by from then else do in with at let have show fun calc match if using extends where where deriving open namespace")


@dataclass(frozen=True)
class Refusal:
    """The first place that a rule refuses. Lines count from 1 and columns from 0, as Lean counts. `hole`: the candidate is incomplete."""

    line: int
    column: int
    rule: str
    hole: bool = False

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.rule}"


class _Refused(Exception):
    """A rule refuses the text at a position."""

    def __init__(self, position: int, rule: str, hole: bool = False) -> None:
        super().__init__(rule)
        self.position, self.rule, self.hole = position, rule, hole


def runs_code(source: str, token: Token) -> bool:
    """Return whether a name reaches native code, or runs code while Lean elaborates it; `sorry` does not."""
    if token.text == "eval" and source.startswith("%", token.end):
        return True
    return reaches_effects(token) is not None or (len(token.parts) == 1 and token.parts[0] in RUNNERS)


def trusts_compiler(token_list: Sequence[Token], at: int) -> bool:
    """Return whether the name at `at` switches on `native`, as in `decide +native`."""
    following = token_list[at + 1].text if at + 1 < len(token_list) else ""
    return token_list[at].parts == ("native",) and (following == ":=" or (at > 0 and token_list[at - 1].text == "+"))


def interpolated(token: Token, previous: Token | None) -> bool:
    """Return whether a string could contain code: it has braces and follows what may be a keyword, such as `s!`."""
    return "{" in token.text and previous is not None and (previous.kind == "name" or previous.text in ("]", "!", "%"))


def filter_proof(proof: str, commands: frozenset[str] = COMMANDS, known: frozenset[str] = frozenset()) -> Refusal | None:
    """Return why a bare proof is refused, or None if it may be passed to Lean.

    Args:
        proof: one term or tactic block, or match alternatives.
        commands: the tokens that begin a command in the Lean version in use.
        known: names that the trusted statement uses; the proof may use them wherever they lead.
    """
    return _filtered(proof, MAX_PROOF_LENGTH, lambda text: _Rules(text, commands, known, declarations=False))


def filter_declarations(
    text: str, commands: frozenset[str] = COMMANDS, known: frozenset[str] = frozenset(), most: int = 2 * MAX_PROOF_LENGTH
) -> Refusal | None:
    """Return why a candidate of whole declarations is refused, or None if it may be passed to Lean.

    Args:
        text: declarations without imports, the target among them.
        commands: the tokens that begin a command in the Lean version in use.
        known: names that the trusted statement uses; the text may use them wherever they lead.
        most: maximum number of characters.
    """
    return _filtered(text, most, lambda text: _Rules(text, commands, known, declarations=True))


def _filtered(text: str, most: int, rules: Callable[[str], "_Rules"]) -> Refusal | None:
    if len(text) > most:
        return Refusal(1, 0, f"the proof is longer than {most} characters")
    if never := NEVER.search(text):
        # C code would end the text at NUL, and half a surrogate pair has no UTF-8
        return _refusal(text, _Refused(never.start(), f"the character U+{ord(never[0]):04X} cannot stand in a Lean file"))
    try:
        rules(text).check()
    except _Refused as refused:
        return _refusal(text, refused)
    return None


def _refusal(text: str, refused: _Refused) -> Refusal:
    line_start = text.rfind("\n", 0, refused.position) + 1
    return Refusal(text.count("\n", 0, refused.position) + 1, refused.position - line_start, refused.rule, refused.hole)


def live_tokens(reading: Reading, source: str) -> tuple[list[Token], int]:
    """Return the tokens as far as the reading is certain, followed by all words from there on, and the number of the former."""
    sure = reading.sure
    for at, token in enumerate(reading.tokens):
        if token.kind == "string" and interpolated(token, reading.tokens[at - 1] if at else None):
            sure = min(sure, token.start)
            break
    if sure >= len(source):
        return reading.tokens, len(reading.tokens)
    certain = [token for token in reading.tokens if token.end <= sure]
    return certain + words_from(source, sure), len(certain)


class _Rules:
    """The rules for one text. `check` raises _Refused at the first token that one of them refuses."""

    def __init__(self, source: str, commands: frozenset[str], known: frozenset[str], declarations: bool) -> None:
        self.source, self.known, self.declarations = source, known, declarations
        self.commands, self.all_known = commands, commands is not COMMANDS and commands != COMMANDS
        self.reading = read(source)
        self.tokens, self.certain = live_tokens(self.reading, source)
        self.allowed_until = 0  # keywords before this index belong to an `open` or an attribute list

    def check(self) -> None:
        if not self.tokens:
            raise _Refused(0, "the proof is empty")
        broken, documentation = self.reading.broken, self.reading.documentation
        # either would take the beginning of the judge's text behind the candidate
        if broken is not None and broken.position == self.reading.sure and self.source.startswith("/-", broken.position):
            raise _Refused(broken.position, str(broken))
        if documentation is not None:
            raise _Refused(documentation, "no declaration follows this documentation comment")
        for at, token in enumerate(self.tokens):
            if token.kind == "name":
                self._name(at, token)
            elif token.kind == "symbol":
                self._symbol(at, token)

    def _name(self, at: int, token: Token) -> None:
        before = self.tokens[at - 1] if at else None
        if token.text not in self.known:
            declared = before is not None and before.text in _DECLARERS
            if part := reaches_effects(token, declared):
                # a configuration such as `simp (config := f ())` is run, and would reach files, linters or memory
                raise _Refused(token.start, f"`{part}` leads to input and output or native code")
        if "sorryAx" in token.parts:
            raise _Refused(token.start, "`sorryAx` leaves a hole, so this is no proof", hole=True)
        for text in self._swallowed(at, token):
            self._swallowed_name(token, text)
        if len(token.parts) > 1:
            return
        self._word(at, token, before)
        if value := evaluated_value(self.tokens, at):
            # Lean runs it, so that it could reach whatever compiled code can
            raise _Refused(value.start, "an option of a tactic may only contain literals, because Lean runs its value")

    def _word(self, at: int, token: Token, before: Token | None) -> None:
        """Check a name of one component."""
        word, source = token.parts[0], self.source
        if token.text == "sorry" and at < self.certain:
            raise _Refused(token.start, "`sorry` leaves a hole, so this is no proof", hole=True)
        if word == "unsafe" and self._is_rule_of_aesop(at):
            return
        if word in RUNNERS:
            raise _Refused(token.start, f"`{word}` runs code, or reads files, while Lean elaborates the proof")
        if word == "eval" and source.startswith("%", token.end):
            raise _Refused(token.start, "`eval%` runs code while Lean elaborates the proof")
        if trusts_compiler(self.tokens, at):
            raise _Refused(token.start, "`native` trusts compiled code, which is no proof for the kernel")
        if at >= self.allowed_until and begins_command(source, token, self.commands):
            self._command(at, token)
        elif self.declarations and not self.all_known and at < self.certain:
            self._margin(at, token, before)
        if at < self.certain and (reason := tactic_reason(source, self.tokens, at)):
            raise _Refused(token.start, *reason)

    def _is_rule_of_aesop(self, at: int) -> bool:
        """Return whether `unsafe` is the phase of a rule, in `@[aesop unsafe …]` or `aesop (add safe a, unsafe b)`."""
        depth = 0
        for index in range(at - 1, max(-1, at - 100), -1):
            text = self.tokens[index].text
            if index == at - 1 and text == "aesop":
                return True
            depth += (text in (")", "]", "}")) - (text in ("(", "[", "{"))
            if depth < 0:
                return index > 0 and self.tokens[index + 1].text == "add" and self.tokens[index - 1].text in ("aesop", "aesop?")
        return False

    def _command(self, at: int, token: Token) -> None:
        """Check a name that begins a command, or `open … in` and `set_option … in` within a proof."""
        if token.text == "open":
            end = self._open_end(at)
            self.allowed_until = end
            if not self.declarations and (end == len(self.tokens) or self.tokens[end].text != "in"):
                raise _Refused(token.start, "`open` without `in` is a command; a proof is one term or tactic block")
        elif token.text == "set_option":
            self._option(at, token)
        elif not self.declarations:
            raise _Refused(token.start, f"`{token.text}` begins a command; a proof is one term or tactic block")
        elif token.text not in DECLARATIONS:
            raise _Refused(token.start, f"`{token.text}` begins a command that is not allowed in a candidate")
        elif token.text == "deriving" and (name := refused_class(self.tokens, at + 1)) is not None:
            raise _Refused(token.start, f"`deriving {name}` is not allowed in a candidate")

    def _margin(self, at: int, token: Token, before: Token | None) -> None:
        """Refuse an unknown word where a command may begin: the Lean in use may know commands that are not on our list."""
        if (token.start and self.source[token.start - 1] != "\n") or token.text in DECLARATIONS | CONTINUATIONS:
            return
        if before is None or (before.kind != "symbol" and before.text not in _NEEDS_MORE) or before.text in _ENDS_A_TERM:
            raise _Refused(token.start, f"`{token.text}` does not begin a command that is allowed in a candidate")

    def _open_end(self, at: int) -> int:
        """Return the index of the first token behind the names of an `open`."""
        index = at + 1
        while index < len(self.tokens):
            token = self.tokens[index]
            if token.kind == "name" and token.text != "in":
                if token.text not in _OPEN_WORDS and begins_command(self.source, token, self.commands):
                    break
            elif token.text not in _OPEN_SYMBOLS:
                break
            index += 1
        return index

    def _option(self, at: int, token: Token) -> None:
        name, end = option_name(self.tokens, at + 1)
        value = self.tokens[end].text if end < len(self.tokens) else ""
        if not option_allowed(name, value):
            raise _Refused(token.start, f"`set_option {name} {value}` is not allowed in a candidate")
        scoped = end + 1 < len(self.tokens) and self.tokens[end + 1].text == "in"
        if not self.declarations and not scoped:
            raise _Refused(token.start, "`set_option` without `in` is a command; a proof is one term or tactic block")

    def _symbol(self, at: int, token: Token) -> None:
        listed = token.text == "[" and at > 0 and self.tokens[at - 1].text == "attribute"
        if token.text == "@[" or listed:
            end, refused = read_attributes(self.tokens, at + 1, ATTRIBUTES)
            if refused is not None:
                raise _Refused(refused.start, f"the attribute `{refused.text}` is not allowed in a candidate")
            self.allowed_until = max(self.allowed_until, end)
        elif begins_command(self.source, token, self.commands) or self._is_unknown_command(token):
            text = self.source[token.start :].split(maxsplit=1)[0]
            raise _Refused(token.start, f"`{text}` begins a command that is not allowed in a candidate")

    def _is_unknown_command(self, token: Token) -> bool:
        """Return whether a word at the start of a line begins with `#`: libraries have commands of this form that are not on our list."""
        at_margin = token.start == 0 or self.source[token.start - 1] == "\n"
        return token.text == "#" and at_margin and not self.all_known and self.source[token.end : token.end + 1].isalpha()

    def _swallowed(self, at: int, token: Token) -> tuple[str, ...]:
        """Return what is left of a name if the preceding symbol takes its first letters: `→o` is one symbol in Mathlib.

        Where a quote is not a symbol, Lean skips the two characters after it, and what follows a number where it cannot read on.
        """
        if not at:
            return ()
        previous = self.tokens[at - 1]
        gap, text = token.start - previous.end, token.text
        every = tuple(text[skipped:] for skipped in range(1, len(text)))
        open_symbol = previous.kind == "symbol" and previous.text not in CLOSED_SYMBOLS
        if at >= self.certain and not gap and (open_symbol or previous.kind == "number"):
            return every
        if not open_symbol or previous.text == ".":
            return ()
        if previous.text.startswith("'") or at >= self.certain:
            most = 2 if gap < 2 else 0
        else:
            most = 0 if gap else 1 if previous.text.isascii() or previous.text in _PREFIX_OPERATORS else 2
        left = tuple(text[skipped:] for skipped in range(1, most + 1))
        # a number or quote that is left over may end anywhere
        return left if all(rest[:1].isalpha() or rest[:1] in "_«" for rest in left) else every

    def _swallowed_name(self, token: Token, text: str) -> None:
        rest = Token("name", text.lstrip("."), token.end - len(text.lstrip(".")), token.end)
        if not rest.text:
            return
        refused = len(rest.parts) == 1 and (
            rest.text in RUNNERS or rest.text in ("set_option", "attribute", "deriving") or self._is_refused_command(rest)
        )
        if refused or reaches_effects(rest) or "sorryAx" in rest.parts:
            raise _Refused(token.start, f"`{rest.text}` after a symbol that may take the letters before it; insert a space")

    def _is_refused_command(self, token: Token) -> bool:
        permitted = self.declarations and token.text in DECLARATIONS
        return not permitted and begins_command(self.source, token, self.commands)
