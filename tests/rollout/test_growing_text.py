import itertools

import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, models

from oprover_jax.rollout.server.growing_text import GrowingText

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
