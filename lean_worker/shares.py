"""Start-time fair queueing of the workers' time, by the seconds that each client's checks have used."""

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count

_FIRST_ESTIMATE_SECONDS = 0.05  # estimate for a check before any has been charged
_RECENT = 0.2  # weight of a charge in the mean of recent charges

_Heap = list[tuple[float, tuple[int, int], str]]


@dataclass(eq=False)
class _Account:
    """Seconds that a client has used, and its place in the order.

    Seconds are in virtual time: worker seconds, plus the virtual time of the client's arrival. `pending` are the estimated seconds of
    running jobs. `turn` breaks ties: the number of the take that served the client last; a new client comes just before
    the client that was served last.
    """

    charged: float = 0.0
    pending: float = 0.0
    turn: tuple[int, int] = (0, 0)
    estimate: float | None = None
    waits: bool = False
    running: int = 0

    @property
    def used(self) -> float:
        return self.charged + self.pending

    @property
    def idle(self) -> bool:
        return not self.waits and not self.running


class Shares:
    """Accounts of clients: the client that has used least is next. Every operation takes amortised logarithmic time per client named.

    A new client, or one that was idle, starts at the present virtual time, so that it neither starves others nor is starved. Idle clients
    that virtual time has passed are forgotten.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._least: _Heap = []  # waiting clients, by seconds used; outdated entries are skipped
        self._most: _Heap = []  # the same, negated
        self._resting: list[tuple[float, str]] = []  # heap of clients that were idle
        self._arrivals = count(1)
        self._served = 0
        self._estimate: float | None = None
        self._reached = 0.0  # the latest virtual time that a client was expected to reach with a taken job

    def __len__(self) -> int:
        return len(self._accounts)

    def arrive(self, name: str) -> None:
        """Add a client that was not waiting."""
        account = self._accounts.setdefault(name, _Account())
        account.charged = max(account.charged, self._virtual_time() - account.pending)
        account.turn = (self._served - 1, next(self._arrivals))
        account.waits = True
        self._rank(name, account)

    def depart(self, name: str) -> None:
        """Remove a client that has no more waiting jobs."""
        account = self._accounts[name]
        account.waits = False
        self._rest(name, account)

    def least(self) -> str | None:
        """Return the client that is next, or None if none waits."""
        return self._first(self._least, 1)

    def start(self, name: str, sharing: Collection[str]) -> float:
        """Start a job in the client's turn, for all who share it, and return the seconds charged provisionally while it runs."""
        account = self._accounts[name]
        usual = _FIRST_ESTIMATE_SECONDS if self._estimate is None else self._estimate
        estimate = usual if account.estimate is None else account.estimate
        self._reached = max(self._reached, account.used + min(usual, estimate))
        self._served += 1
        account.turn = (self._served, 0)
        for other in sharing:
            self._accounts[other].running += 1
        self.count(sharing, estimate)
        self._forget()
        return estimate

    def count(self, sharing: Collection[str], seconds: float) -> None:
        """Charge more seconds provisionally for a running job, in equal shares."""
        for name in sharing:
            account = self._accounts[name]
            account.pending += seconds / len(sharing)
            self._rank(name, account)

    def stop(self, sharing: Collection[str], counted: float) -> None:
        """End a job for all who share it, and drop its provisional charge."""
        for name in sharing:
            account = self._accounts[name]
            account.running -= 1
            account.pending = account.pending - counted / len(sharing) if account.running else 0.0
            self._rank(name, account)
            self._rest(name, account)

    def charge(self, sharing: Collection[str], seconds: float) -> None:
        """Charge the seconds of a finished job, in equal shares."""
        self._estimate = _mean(self._estimate, seconds)
        for name in sharing:
            if (account := self._accounts.get(name)) is not None:
                account.estimate = _mean(account.estimate, seconds)
                account.charged += seconds / len(sharing)
                self._rank(name, account)
                self._rest(name, account)

    def _virtual_time(self) -> float:
        """Return where a new client starts: after earlier new clients, whose jobs move it forward, but among the waiting ones."""
        least, most = self._first(self._least, 1), self._first(self._most, -1)
        if least is None or most is None:
            return self._reached
        return max(self._accounts[least].charged, min(self._accounts[most].charged, self._reached))

    def _first(self, heap: _Heap, sign: int) -> str | None:
        while heap:
            used, turn, name = heap[0]
            account = self._accounts.get(name)
            if account is not None and account.waits and (sign * account.used, account.turn) == (used, turn):
                return name
            heapq.heappop(heap)
        return None

    def _rank(self, name: str, account: _Account) -> None:
        if not account.waits:
            return
        for heap, sign in ((self._least, 1), (self._most, -1)):
            heapq.heappush(heap, (sign * account.used, account.turn, name))
            if len(heap) > 2 * len(self._accounts) + 64:
                heap[:] = [(sign * each.used, each.turn, client) for client, each in self._accounts.items() if each.waits]
                heapq.heapify(heap)

    def _rest(self, name: str, account: _Account) -> None:
        if account.idle:
            heapq.heappush(self._resting, (account.used, name))

    def _forget(self) -> None:
        passed = self._virtual_time()
        while self._resting and self._resting[0][0] <= passed:
            _, name = heapq.heappop(self._resting)
            account = self._accounts.get(name)
            if account is not None and account.idle and account.used <= passed:
                del self._accounts[name]


def _mean(mean: float | None, seconds: float) -> float:
    return seconds if mean is None else mean + _RECENT * (seconds - mean)
