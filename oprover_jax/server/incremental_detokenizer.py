"""Incremental detokenizer: emits whole characters only, and withholds text that may be part of a stop string."""

from collections.abc import Callable, Sequence

_UNFINISHED = "\ufffd"  # decoding of an incomplete character
_LONGEST_CHARACTER = 4  # bytes of UTF-8, and hence tokens
_MOST_HELD = 8


class GrowingText:
    """Text of a completion while its tokens arrive. `text` only ever grows.

    `matched` is the stop string that was found; `text` ends before it, and the first `tokens` tokens contain all of it. Time is linear in
    the number of tokens, whatever their content; see `_take`.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self.text = ""
        self.matched: str | None = None
        self.tokens = 0
        self._decode, self._stops = decode, tuple(stops)
        self._ids: list[int] = []
        self._start = self._read = 0  # ids before `read` are in `seen`; decoding begins at `start`, because neighbours affect the text
        self._seen = ""
        self._look_at = 1  # decode again when this many ids beyond `read` are held
        self._hidden_from = max((len(stop) for stop in self._stops), default=1) - 1

    def add(self, ids: Sequence[int]) -> bool:
        """Append tokens; return True if a stop string was found, after which further tokens are ignored."""
        if not self._stops:
            self.tokens += len(ids)
            self._take(ids)
            self.text = self._seen
            return False
        for token in ids:
            self.tokens += 1
            before = len(self._seen)
            self._take([token])
            if self._find(before):
                return True
        self.text = self._seen[: len(self._seen) - self._withheld()]
        return False

    def end(self) -> None:
        """Finish the text: emit withheld text, with incomplete characters as U+FFFD."""
        if self.matched is None:
            before = len(self._seen)
            self._seen += self._tail()
            if not self._find(before):
                self.text = self._seen

    def _tail(self) -> str:
        """Return the text of the tokens beyond `seen`."""
        known = self._decode(self._ids[self._start : self._read])
        return self._decode(self._ids[self._start :])[len(known) :]

    def _take(self, ids: Sequence[int]) -> None:
        self._ids += ids
        held = len(self._ids) - self._read
        if held < self._look_at:
            return
        tail = self._tail()
        if tail and not tail.endswith(_UNFINISHED):
            self._accept(tail, len(self._ids))
        elif held >= _LONGEST_CHARACTER and not tail:
            del self._ids[self._read :]  # control tokens, which have no text
        elif held > _MOST_HELD and not self._accept_settled(tail):
            self._look_at = 2 * held

    def _accept(self, text: str, read: int) -> None:
        self._seen += text
        self._start, self._read, self._look_at = self._read, read, 1

    def _accept_settled(self, tail: str) -> bool:
        """Accept text that no further token can change; called after too many invalid bytes for an incomplete character."""
        known = len(self._decode(self._ids[self._start : self._read]))
        last = len(self._ids) - _LONGEST_CHARACTER
        for read in range(last, last - _LONGEST_CHARACTER, -1):
            settled = self._decode(self._ids[self._start : read])[known:]
            if settled and len(settled) < len(tail) and tail.startswith(settled):
                self._accept(settled, read)
                return True
        return False

    def _find(self, before: int) -> bool:
        """Search for the first stop string that ends after `before` characters; return True if there is one."""
        start = max(0, before - self._hidden_from)
        matches = [(at, -len(stop), stop) for stop in self._stops if (at := self._seen.find(stop, start)) >= 0]
        if not matches:
            return False
        at, _, self.matched = min(matches)
        self.text = self._seen[:at]
        return True

    def _withheld(self) -> int:
        """Return how many trailing characters may be the beginning of a stop string."""
        longest = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self._seen)), longest, -1):
                if self._seen.endswith(stop[:length]):
                    longest = length
                    break
        return longest
