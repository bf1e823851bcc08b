import itertools

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, models

from oprover_jax.server.incremental_detokenizer import GrowingText

# every byte is a token: whatever can be torn apart will be
BYTES = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
INNER = tokenizers.Tokenizer(models.BPE({letter: i for i, letter in enumerate(BYTES)}, []))
INNER.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
INNER.decoder = decoders.ByteLevel()


def decode(ids: list[int]) -> str:
    return INNER.decode(list(ids), skip_special_tokens=True)


def encode(text: str) -> list[int]:
    return INNER.encode(text).ids


def grow(ids: list[int], stops: tuple[str, ...], step: int) -> tuple[GrowingText, list[str]]:
    growing, shown = GrowingText(decode, stops), []
    for start in range(0, len(ids), step):
        if growing.add(ids[start : start + step]):
            break
        shown.append(growing.text)
    else:
        growing.end()
    return growing, [*shown, growing.text]


TEXTS = st.text(alphabet="ab∧→⟨x\n`é𝔸", max_size=40)


@given(TEXTS, st.integers(1, 7))
def test_without_stops_the_text_is_the_decoded_whole_and_never_shrinks(text: str, step: int) -> None:
    growing, shown = grow(encode(text), (), step)
    assert growing.text == text
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(shown))


@given(st.lists(st.integers(0, len(BYTES) - 1), max_size=40), st.integers(1, 7))
def test_junk_bytes_come_out_as_the_whole_decoded_at_once(ids: list[int], step: int) -> None:
    growing, shown = grow(ids, (), step)
    assert growing.text == decode(ids)
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(shown))


@given(TEXTS, st.lists(st.text(alphabet="ab∧→⟨`", min_size=1, max_size=4), min_size=1, max_size=3), st.integers(1, 7))
def test_a_stop_string_ends_the_text_before_it_and_none_of_it_is_ever_shown(text: str, stops: list[str], step: int) -> None:
    growing, shown = grow(encode(text), tuple(stops), step)
    ends = sorted((text.find(stop) + len(stop), stop) for stop in stops if stop in text)
    if not ends:
        assert growing.matched is None and growing.text == text
    else:
        first = ends[0][0]
        assert growing.matched in stops
        assert text[:first].endswith(growing.matched)
        assert growing.text == text[: first - len(growing.matched)]
        assert growing.tokens == len(text[:first].encode())
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(shown))


INNER.add_special_tokens([tokenizers.AddedToken("<|control|>")])
CONTROL = len(BYTES)
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]  # the others are written as the letters from 256 on, in order
LETTERS = {byte: chr(byte) for byte in PRINTABLE} | {b: chr(256 + n) for n, b in enumerate(b for b in range(256) if b not in PRINTABLE)}
TOKEN = {byte: BYTES.index(letter) for byte, letter in LETTERS.items()}
TORN = st.sampled_from([TOKEN[0xE2], TOKEN[0xF0], TOKEN[0x80], TOKEN[0x9F], TOKEN[0xFF], CONTROL])


@given(st.lists(st.one_of(TORN, st.integers(0, CONTROL)), max_size=200), st.integers(1, 40))
def test_long_runs_of_junk_and_of_control_tokens_come_out_as_the_whole_too(ids: list[int], step: int) -> None:
    growing, shown = grow(ids, (), step)
    assert growing.text == decode(ids)
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(shown))


@given(TORN, st.integers(0, 60), TEXTS)
def test_a_stop_string_behind_junk_is_found_at_its_last_token(junk: int, count: int, text: str) -> None:
    ids = [junk] * count
    growing, _ = grow([*ids, *encode(f"{text}STOP"), *encode("more")], ("STOP",), 3)
    assert (growing.matched, growing.tokens) == ("STOP", count + len(encode(f"{text}STOP")))
    assert growing.text == decode([*ids, *encode(text)])


@pytest.mark.parametrize("token", [CONTROL, *(TOKEN[byte] for byte in b"a\x80\xe2\xf0\xff")])
@pytest.mark.parametrize("stops", [(), ("never",)])
@pytest.mark.parametrize("first", [[], [TOKEN[0xE2]]])
def test_the_work_is_in_proportion_to_the_tokens(token: int, stops: tuple[str, ...], first: list[int]) -> None:
    def work(count: int) -> int:
        decoded = 0

        def counting(ids: list[int]) -> str:
            nonlocal decoded
            decoded += len(ids)
            return decode(ids)

        growing = GrowingText(counting, stops)
        for _ in range(count // 8):
            growing.add([*first, *[token] * 7] if growing.tokens == 0 else [token] * 8)
        growing.end()
        return decoded

    assert work(8000) < 12 * work(1000)
