"""Validation of raw rows: a theorem must end in `:= by sorry`, and proofs must leave no hole. Everything else is refused with the reason; a
statement whose proof is refused is kept without it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from oprover_jax.corpus.tables import proof_kind
from oprover_jax.ingest.sources.files import Raw
from oprover_jax.ingest.sources.layouts import Layout
from oprover_jax.ingest.sources.split import Theorem, bare, commands, the_one, theorems, unfenced
from oprover_jax.statements.declarations import blanked
from oprover_jax.statements.normalize import normalise, tokens

UNKNOWN_LICENCE = "unknown"
FLAGGED = "contaminates"

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_HOLE = re.compile(r"(?<![\w.'])(?:sorry|sorryAx|admit)(?![\w'])|^[ \t·]*stop[ \t]*$", re.MULTILINE)
_COMPILER = re.compile(r"(?<![\w'])(?:native_decide|ofReduceBool|ofReduceNat|trustCompiler|implemented_by)(?![\w'])")
_HELPERS = re.compile(
    r"^[ \t]*(?:(?:private|protected|nonrec|noncomputable)\s+)*(?:theorem|lemma|def|abbrev|example)\b|^@\["
    r"|^set_option\b|^(?:open|omit|include)\b.*\bin\b"
)
_DECLARATION = re.compile(
    r"""^[ \t]*(?:@\[|\#|(?:private|protected|nonrec|noncomputable(?!\s+section)|theorem|lemma|def|abbrev|example|axiom|constant|opaque
        |unsafe|partial|instance|structure|inductive|class|mutual|macro|macro_rules|elab|elab_rules|syntax|notation|infix[lr]?|prefix
        |postfix|local|scoped|attribute|deriving|initialize|run_cmd)\b)""",
    re.MULTILINE | re.VERBOSE,
)
_OPTION = re.compile(r"^set_option\b[^\n]*$", re.MULTILINE)
_PROJECT = re.compile(r"([\w.-]+/[\w.-]+@[0-9a-f]{7,40}):")


@dataclass(frozen=True)
class RowLimits:
    """Limits in characters; longer texts are not useful for training."""

    statement: int = 20_000
    header: int = 200_000
    proof: int = 60_000  # the limit of the Lean workers
    conversation: int = 400_000


class Refused(ValueError):
    """Reason for refusing a row, or one proof of it. The words before the first colon are counted."""


@dataclass(frozen=True)
class Place:
    """Properties shared by all rows of a file: its source's name, layout and limits, and the file as `where` names it."""

    origin: str
    layout: Layout
    limits: RowLimits
    file: str


Row = dict[str, Any]


def read(raw: Raw, place: Place) -> Iterator[tuple[Row | None, Row | None]]:
    """Yield rows of INCOMING and of QUARANTINE from one raw row: pairs of which one is None."""
    where = f"{place.origin}/{place.file}:{raw.where}"
    if raw.problem:
        yield None, _quarantined(place, where, raw.problem, raw.text)
    elif place.layout.format == "lean":
        yield from _declarations(raw.values["text"], place)
    else:
        yield from _pairs(raw.values, place, where)


def _pairs(values: dict[str, Any], place: Place, where: str) -> Iterator[tuple[Row | None, Row | None]]:
    columns = place.layout.columns
    flagged = values.get(columns.contaminates) if columns.contaminates else None
    if flagged and flagged != "[]":
        # its text is that of a benchmark, so it must not be stored anywhere that may be trained on
        named = ", ".join(flagged) if isinstance(flagged, list) else str(flagged)
        yield None, _quarantined(place, where, f"{FLAGGED}: {named}", _json({"name": values.get(columns.name)}))
        return
    shown = {name: values[name] for name in columns.read if name in values}
    try:
        stated = _stated(values, place)
        about = _about(values, place, stated)
    except Refused as refused:
        yield None, _quarantined(place, where, str(refused), _json(shown))
        return
    try:
        said = _conversation(values, place)
    except Refused as refused:  # the theorem and its proof are kept
        said = {}
        yield None, _quarantined(place, where, str(refused), _json({name: shown[name] for name in shown if name != columns.answer}))
    proved = 0
    for column in columns.proofs or ("",):
        try:
            text = _text(values, column) if column else stated.proof
            if text.strip() and (theorem := _proved(stated, text, place)).proof:
                proved += 1
                yield _incoming(theorem, about, where) | said, None
        except Refused as refused:
            yield None, _quarantined(place, where, str(refused), _json(shown))
    if not proved:
        yield _incoming(replace(stated, proof=""), about, where), None


def _conversation(values: dict[str, Any], place: Place) -> Row:
    """Return the prompt and the answer of a row, empty if it lacks one of them."""
    columns = place.layout.columns
    prompt, answer = _text(values, columns.prompt), _text(values, columns.answer)
    if not prompt.strip() or not answer.strip():
        return {}
    if len(prompt) + len(answer) > place.limits.conversation:
        raise Refused(f"absurdly long: a conversation of more than {place.limits.conversation:,} characters")
    return {"prompt": prompt, "answer": answer}


def _declarations(text: str, place: Place) -> Iterator[tuple[Row | None, Row | None]]:
    parsed = theorems(unfenced(text))
    if not parsed:
        yield None, _quarantined(place, f"{place.origin}/{place.file}:1", "no theorem", _json({"text": text}))
    for theorem in parsed:
        where = f"{place.origin}/{place.file}:{theorem.line}"
        shown = {"name": theorem.name, "header": theorem.header, "statement": theorem.statement, "proof": theorem.proof}
        try:
            stated = _fitting(theorem, place)
        except Refused as refused:
            yield None, _quarantined(place, where, str(refused), _json(shown))
            continue
        try:
            _sound(theorem.proof, place)
        except Refused as refused:
            yield None, _quarantined(place, where, str(refused), _json(shown))
            stated = replace(stated, proof="")
        yield _incoming(stated, _about({}, place, stated), where), None


def _stated(values: dict[str, Any], place: Place) -> Theorem:
    """Return the statement of a row, with its whole header, and the proof that may accompany it."""
    columns = place.layout.columns
    text = unfenced(_text(values, columns.formal))
    if not text.strip():
        raise Refused(f"empty: no text in {columns.formal}")
    theorem = the_one(theorems(text))
    if theorem is None:
        raise Refused("no theorem")
    header = unfenced(_text(values, columns.header)).strip("\n")
    header = "\n\n".join(part for part in (header, theorem.header) if part.strip()) or place.layout.header
    return _fitting(replace(theorem, header=header), place)


def _fitting(stated: Theorem, place: Place) -> Theorem:
    """Return `stated` if statement and header are valid."""
    limits = place.limits
    if not stated.statement:
        raise Refused("no end: the statement does not end in sorry, and no proof can be split off")
    for text, longest, what in ((stated.statement, limits.statement, "statement"), (stated.context, limits.header, "header")):
        if len(text) > longest:
            raise Refused(f"absurdly long: a {what} of more than {longest:,} characters")
        _clean(text)
    if _HOLE.search(blanked(stated.header)):
        raise Refused("sorry in the header")
    return stated


def _proved(stated: Theorem, text: str, place: Place) -> Theorem:
    """Return `stated` with the proof in `text`, by itself or in a whole text. The proof is empty if there is only a placeholder."""
    text = unfenced(text)
    whole = theorems(text)
    if not whole:
        body = bare(text)
        return replace(stated, proof=_sound(body, place)) if body else replace(stated, proof="")
    target = the_one(whole, stated.name)
    if target is None:
        raise Refused(f"no such theorem: the proof's text has {whole[-1].name or 'an example'} and not {stated.name}")
    if not target.proof:
        return replace(stated, proof="")
    target = _fitting(target, place) if target.statement else target
    if not _same(stated.statement, target.statement):
        raise Refused("another statement: the proof's text proves something else under that name")
    if _unoptioned(stated.options) != _unoptioned(target.options):
        raise Refused("another context: the proof's text opens or omits other things for the theorem than the statement's does")
    header, helpers = _shared(stated.header, target.header)
    if not helpers:
        return replace(stated, header=header, proof=_sound(target.proof, place))
    stranger = next((line for line in commands(helpers) if not _HELPERS.match(line)), None)
    if stranger is not None:  # a `variable`, an instance, a notation or an axiom would change what is proved
        raise Refused(f"helpers that are no lemmas: {stranger.split()[0]}")
    statement = target.statement.removesuffix(":= by sorry").rstrip(" ")
    body = target.proof if target.proof.startswith("|") else f":= {target.proof}"
    return replace(stated, header=header, proof=_sound(f"{helpers}\n\n{statement} {body}", place))


def _shared(stated: str, proved: str) -> tuple[str, str]:
    """Return the header of the statement and the helpers of the proof, from both headers.

    Text before the theorem that is in the proof's text but not in the statement's belongs to the prover: if it became part of the header,
    two proofs of one statement would have different statements. If the texts open differently, the proof's opening becomes the header,
    because it is what was checked.
    """
    if stated.split() == proved.split():
        return stated, ""
    opening, own = _parted(stated)
    opening_of_proof, rest = _parted(proved)
    cut = _cut(rest, tokens(own))
    if cut is None:
        raise Refused("another context: the proof's text declares other things before the theorem than the statement's does")
    same = _unoptioned(opening) == _unoptioned(opening_of_proof)
    return stated if same else f"{opening_of_proof}{rest[:cut]}".strip("\n").rstrip(), rest[cut:].strip("\n")


def _cut(declarations: str, known: list[str]) -> int | None:
    """Return where the declarations with the tokens `known` end, or None if others come first."""
    starts = [match.start() for match in _DECLARATION.finditer(blanked(declarations))]
    seen: list[str] = []
    for begin, end in zip([0, *starts], [*starts, len(declarations)], strict=True):
        seen += tokens(declarations[begin:end])
        if seen == known:
            return end
        if len(seen) >= len(known):
            return None
    return None


def _unoptioned(text: str) -> list[str]:
    """Return the tokens without options: resource limits are not part of a statement."""
    return tokens(_OPTION.sub("", text))


def _parted(header: str) -> tuple[str, str]:
    """Return the opening of a header (imports, options, `open`s), and its declarations."""
    first = _DECLARATION.search(blanked(header))
    return (header[: first.start()], header[first.start() :]) if first else (header, "")


def _same(first: str, second: str) -> bool:
    return first.split() == second.split() or normalise(first) == normalise(second)


def _sound(proof: str, place: Place) -> str:
    clear = blanked(proof)
    if len(proof) > place.limits.proof:
        raise Refused(f"absurdly long: a proof of more than {place.limits.proof:,} characters")
    _clean(proof)
    if _HOLE.search(clear):
        raise Refused("sorry or admit in the proof")
    if _COMPILER.search(clear):
        raise Refused("native_decide: the proof trusts the compiler and not the kernel alone")
    return proof


def _clean(text: str) -> None:
    if match := _CONTROL.search(text):
        raise Refused(f"control character: U+{ord(match[0]):04X}")


def _about(values: dict[str, Any], place: Place, stated: Theorem) -> Row:
    layout, columns = place.layout, place.layout.columns
    lean = _text(values, columns.lean) or layout.lean
    needs = _text(values, columns.needs)
    source = _text(values, columns.source)
    project = _PROJECT.match(source)
    return {
        "name": _text(values, columns.name) or stated.name,
        "informal": _CONTROL.sub(" ", _text(values, columns.informal)) or _CONTROL.sub(" ", stated.informal),
        "domain": _text(values, columns.domain),
        "difficulty": _difficulty(values.get(columns.difficulty) if columns.difficulty else None),
        "lean": f"{lean} with {needs}".strip() if needs not in ("", "core") else lean,
        # one project at one commit is one source, by which a corpus is partitioned
        "source": project[1] if project else source or layout.source,
        "licence": _text(values, columns.licence) or layout.licence or UNKNOWN_LICENCE,
        "origin": place.origin,
    }


def _incoming(stated: Theorem, about: Row, where: str) -> Row:
    target = the_one(theorems(stated.proof))
    kind = proof_kind(target.proof if target else stated.proof)
    own = {"formal": stated.statement, "header": stated.context, "proof": stated.proof or None, "kind": kind}
    return {**about, **own, "where": where}


def _text(values: dict[str, Any], column: str) -> str:
    """Return the text in a column, "" for none. A version or a name may be a number."""
    value = values.get(column) if column else None
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise Refused(f"wrong kind: {column} holds {type(value).__name__} and no text")


def _difficulty(value: Any) -> int:
    """Return 1 to 10; 0 for anything else."""
    try:
        number = round(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0
    return number if 1 <= number <= 10 else 0


def _quarantined(place: Place, where: str, reason: str, text: str) -> Row:
    return {"source": place.layout.source, "where": where, "reason": reason, "row": text}


def _json(values: dict[str, Any]) -> str:
    return msgspec.json.encode(values).decode()
