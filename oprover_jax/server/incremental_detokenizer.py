"""The text of a completion while its tokens arrive: whole characters only, and nothing that may yet turn out to be a stop string."""

from collections.abc import Callable, Sequence

_UNFINISHED = "\ufffd"  # what the bytes of a character that is not whole yet decode to
_LONGEST_CHARACTER = 4  # bytes, and so tokens, of UTF-8
_MOST_HELD = 8


class GrowingText:
    """`text` only ever grows. `matched` is the stop string that was met: `text` ends before it, `tokens` tokens hold it whole.

    Takes time in proportion to the tokens, whatever they are: see `_take`.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self.text = ""
        self.matched: str | None = None
        self.tokens = 0
        self._decode, self._stops = decode, tuple(stops)
        self._ids: list[int] = []
        self._start = self._read = 0  # ids before `read` are in `seen`; decoding begins at `start`, for the sake of what joins them
        self._seen = ""
        self._look_at = 1  # so many ids beyond `read` are worth another look
        self._hidden_from = max((len(stop) for stop in self._stops), default=1) - 1

    def add(self, ids: Sequence[int]) -> bool:
        """Takes more tokens; True when a stop string has been met, after which no more are looked at."""
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
        """No more tokens will come: what was withheld is shown, unfinished characters as U+FFFD."""
        if self.matched is None:
            before = len(self._seen)
            self._seen += self._tail()
            if not self._find(before):
                self.text = self._seen

    def _tail(self) -> str:
        """What the tokens say beyond `seen`."""
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
            del self._ids[self._read :]  # control tokens: nothing comes of them
        elif held > _MOST_HELD and not self._accept_all_but_the_end(tail):
            self._look_at = 2 * held

    def _accept(self, text: str, read: int) -> None:
        self._seen += text
        self._start, self._read, self._look_at = self._read, read, 1

    def _accept_all_but_the_end(self, tail: str) -> bool:
        """Accept what no further token can change, where junk bytes have been coming for so long that they are no unfinished character."""
        known = len(self._decode(self._ids[self._start : self._read]))
        last = len(self._ids) - _LONGEST_CHARACTER
        for read in range(last, last - _LONGEST_CHARACTER, -1):
            settled = self._decode(self._ids[self._start : read])[known:]
            if settled and len(settled) < len(tail) and tail.startswith(settled):
                self._accept(settled, read)
                return True
        return False

    def _find(self, before: int) -> bool:
        """Looks for the first stop string that ends after `before` characters."""
        start = max(0, before - self._hidden_from)
        found = [(at, -len(stop), stop) for stop in self._stops if (at := self._seen.find(stop, start)) >= 0]
        if not found:
            return False
        at, _, self.matched = min(found)
        self.text = self._seen[:at]
        return True

    def _withheld(self) -> int:
        """How many of the last characters may be the beginning of a stop string."""
        longest = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self._seen)), longest, -1):
                if self._seen.endswith(stop[:length]):
                    longest = length
                    break
        return longest
