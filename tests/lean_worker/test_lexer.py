"""The lexer reads names, literals and comments as Lean does, or says that it cannot be sure: Lean is asked about generated forms."""

import json
import random
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lean_worker import lexer
from lean_worker.embedded import build
from lean_worker.lexer import Token, tokens

LETTERS = "aZ_éßÿ×÷ĀſƀαωλΑΩΠΣϊϻϼἀ῾ℝℕ⅏⅐𝓝𝒜𝖟𝖠ªµ𐐀жλ文"
MARKS = "0₉₀ₐₜ₝ᵢᵪᵫⱼ'!?«».¹²"


def read(text: str) -> list[Token] | None:
    """The tokens, or None where the lexer says that Lean may read the text differently, or not at all."""
    reading = lexer.read(text)
    return reading.tokens if reading.broken is None and reading.sure == len(text) else None


def kinds(text: str) -> list[str] | None:
    found = read(text)
    return found if found is None else [token.kind for token in found]


def complaints(folder: Path, lines: Sequence[str]) -> dict[int, str]:
    """Lean's first error about each command of a file, by its index; the last index is there where Lean read the file to its end."""
    core = build.ensure_core()
    starts, at = [], 2
    for line in lines:
        at += 1
        starts.append(at)
        at += line.count("\n")
    source = folder / "forms.lean"
    source.write_text(build.OPENING + "\n".join([*lines, "example : True := the_end"]) + "\n", newline="")
    command = build.lean_command(core.library, "--json", "-DmaxErrors=100000", source)
    done = subprocess.run(command, env=build.lean_environment(core.path), capture_output=True, text=True, timeout=120, check=False)
    said = [json.loads(line) for line in done.stdout.split("\n") if line.startswith("{")]
    found: dict[int, str] = {}
    for message in said:
        if message["severity"] == "error":
            index = max((i for i, start in enumerate(starts) if start <= message["pos"]["line"]), default=0)
            found.setdefault(len(lines) if "the_end" in message["data"] else index, message["data"])
    return found


def is_one(kind: str, text: str) -> bool:
    return kinds(text) == [kind]


def test_names_are_those_of_lean(tmp_path: Path) -> None:
    draw = random.Random(1)
    forms = {form.format(character) for character in LETTERS + MARKS for form in ("{}", "a{}", "{}a")}
    forms |= {"".join(draw.choices(LETTERS + MARKS, k=draw.randint(2, 6))) for _ in range(400)}
    forms |= {"«Problem 1.2»", "«a.b».c", "a.«b c».d", "«»", "a.«", "«a»b", "a.1", "a..b", "mulℝ_one", "aₙ_pos", "xⱼ", "bézout", "a«b»"}
    single = sorted(form for form in forms if form not in ("λ", "Π", "_") and "\n" not in form)
    kept = [form for form in single if "«" not in form or "»" in form]
    declared = "namespace N{} theorem {} : True := trivial example : True := {} end N{}"
    wrong = complaints(tmp_path, [declared.format(index, form, form, index) for index, form in enumerate(kept)])
    ours = {form for form in kept if is_one("name", form)}
    assert {form for index, form in enumerate(kept) if index not in wrong} == ours
    assert len(ours) > 100 and len(kept) - len(ours) > 100


def test_numbers_are_those_of_lean(tmp_path: Path) -> None:
    """What is one number here is one for Lean; the embedded library has no scientific literals, which Lean says by name."""
    draw = random.Random(2)
    forms = {
        "".join(draw.choices("0123_xXbBoOeE.+-aF", [9, 9, 9, 9, 4, 2, 1, 2, 1, 1, 1, 3, 1, 2, 1, 1, 2, 2], k=draw.randint(1, 6)))
        for _ in range(3000)
    }
    forms |= {"0xFF", "1_000", "1e2", "1.5e-3", "0b101", "0o17", "1__0", "1.e5", "00", "0x_F", "0XfF_0", "1_0.0_1e1_0"}
    ours = sorted(form for form in forms if is_one("number", form))
    wrong = complaints(tmp_path, [f"example : {form} = {form} := rfl" for form in ours])
    assert [
        (ours[index], said)
        for index, said in wrong.items()
        if index < len(ours) and "OfScientific" not in said and "ill-formed" not in said
    ] == []
    assert len(ours) > 300


@pytest.mark.parametrize("form", ["1_", "0x", "2.succ", "0b12", "1..2", "1.e", "0xg"])
def test_what_is_no_number_for_lean_is_none_here(tmp_path: Path, form: str) -> None:
    assert complaints(tmp_path, [f"example : {form} = {form} := rfl"]).keys() >= {0}
    assert not is_one("number", form)


PIECES = ["a", "\\n", '\\"', "\\'", "\\\\", "\\x41", "\\u03b1", "'", "--", "/-", "-/", "{", "\\\n  ", "\n", "\\t", "«", "#"]


def test_strings_and_characters_are_those_of_lean(tmp_path: Path) -> None:
    draw = random.Random(3)
    forms = {'"' + "".join(draw.choices([*PIECES, "\\a", "\\x4"], k=draw.randint(0, 5))) + '"' for _ in range(400)}
    forms |= {f"'{piece}'" for piece in PIECES} | {"'\"'", "'α'"}
    forms |= {f'r{marks}"{"".join(draw.choices([*PIECES, chr(34)], k=3))}"{marks}' for marks in ("", "#", "##") for _ in range(60)}
    ours = sorted(form for form in forms if kinds(form) in (["string"], ["character"]) and form.endswith(tokens(form)[0].text))
    assert complaints(tmp_path, [f"example : {form} = {form} := rfl" for form in ours]).keys() == {len(ours)}
    assert len(ours) > 300


@pytest.mark.parametrize("form", ['"\\a"', '"\\0"', '"\\x4"', '"\\u3b1"', '"a\\ \n"', '"a\\\n\n"', "'ab'", "'\\u{41}'", 'r#"a"'])
def test_what_is_no_literal_for_lean_is_none_here(tmp_path: Path, form: str) -> None:
    assert complaints(tmp_path, [f"example : {form} = {form} := rfl", '/-- " -/ example : 1 = 1 := rfl']).keys() & {0, 1}
    assert read(form) is None


THEOREM = ["theorem", "t", ":", "True", ":=", "trivial"]


def commented(form: str) -> str:
    """A theorem with a comment where Lean permits one of its kind."""
    if form.startswith(("/--", "/-!")):
        return f"{form}\ntheorem t : True := trivial"
    return f"theorem t : True := {form}\n trivial"


def test_comments_are_those_of_lean(tmp_path: Path) -> None:
    draw = random.Random(4)
    forms = {"/-" + "".join(draw.choices(["/-", "-/", "-", "/", "!", " ", "x", '"', "--"], k=draw.randint(1, 7))) for _ in range(4000)}
    forms |= {"/-/- x -/", "/- /- -/ -/", "/-/ x -/", "/- --/", "/- /--/ -/ -/", "--/- x", "-- -/", "/-- /- -/ -/"}
    forms |= {"/---/", "/-- -- x -/ -/\n -/", "/--/-/- -/ -/"}
    placed = [form for form in sorted(forms) if not re.search("/-[-!]", form[1:])]
    closed = [form for form in placed if [token.text for token in read(commented(form)) or []] == THEOREM]
    lines = [f"namespace N{index}\n{commented(form)}\nend N{index}" for index, form in enumerate(closed)]
    assert complaints(tmp_path, lines).keys() == {len(lines)}
    assert len(closed) > 100


@pytest.mark.parametrize(
    "form", ["/-/-/x", "/- /--/", "/--/", "/-!/", "/- /- /-/ -/ -/", "/-/- -/ -/", "/-", "/----/", "/-!--/", "/-- -- x -/", "/--/-/- -/"]
)
def test_what_lean_reads_on_behind_or_never_closes_is_no_comment_here(tmp_path: Path, form: str) -> None:
    texts = [token.text for token in read(commented(form)) or []]
    assert complaints(tmp_path, [commented(form)]).keys() != {1}
    assert texts != THEOREM


HIDING = [
    "{x : Nat //-1 = x ∧ (open Nat in True) --/ }\n",  # `//` is one symbol
    "do let x <--open Nat in\n y",  # and so is `<-`
    "/-/- x -/ open Nat in rfl /- -/ -/",  # the character behind the opening mark is skipped
    "xs[0]'\"' \"open Nat in rfl\" '\"'",  # `]'` is one symbol
    "1.e5open Nat in rfl",
    "h.2.e5open Nat in rfl",
    'rfl \' "open Nat in"',  # where a quote is unknown Lean goes on two characters behind it
    "f '--\n open",
]


@pytest.mark.parametrize("text", HIDING)
def test_what_lean_could_read_in_another_way_is_refused(text: str) -> None:
    assert read(text) is None or "open" in [token.text for token in read(text) or []]


@pytest.mark.parametrize("character", "\x00\x0b\x0c\x1c\x7f\x85\u2028\u2029\ufeff\ud800\r")
@pytest.mark.parametrize("place", ["x{}y", '"{}"', "/- {} -/", "-- {}", "«{}»"])
def test_characters_that_end_lines_elsewhere_are_refused_everywhere(character: str, place: str) -> None:
    assert read(place.format(character)) is None


def test_lines_may_end_in_cr_lf() -> None:
    assert [token.text for token in tokens("by\r\n  rfl -- done\r\n/- \r\n -/\r\n")] == ["by", "rfl"]


def test_marks_of_images_and_indices_are_symbols() -> None:
    assert [token.text for token in tokens("f '' s ⁻¹' t, xs[i]'h, h.2.1.symm 5!")] == [
        *("f", "''", "s", "⁻", "¹", "'", "t", ",", "xs", "[", "i", "]", "'", "h", ",", "h", ".", "2", ".", "1", ".", "symm", "5", "!"),
    ]


NASTY = [
    *("/-", "-/", "/- -/", "--\n", "/-- ", "«a»", "«", ".", "a.", "a.«b».", "«a b».", "(", "[", "@[", "]", ":=", "|", '"', '""', "'", "\\"),
    *("r#", "#", "0x", "1.", "1_", "_", "é", "@ ", "by ", "x?"),
]


@pytest.mark.parametrize("piece", NASTY)
def test_reading_takes_time_in_proportion_to_the_length(piece: str) -> None:
    """A tenth of a second would do; quadratic readers need minutes."""
    began = time.process_time()
    read(piece * (120_000 // len(piece)))
    assert time.process_time() - began < 5


def test_no_soup_of_tokens_raises_anything_else() -> None:
    draw = random.Random(5)
    pieces = [*NASTY, *HIDING, "open", "sorry", " ", "\n", "x", "theorem", "\ud800", "\x00", "λ", "→o", "1e5", "`", "%", "?", "!"]
    for _ in range(20_000):
        text = "".join(draw.choices(pieces, k=draw.randint(0, 12)))
        found = read(text)
        assert found is None or [text[token.start : token.end] for token in found] == [token.text for token in found]
