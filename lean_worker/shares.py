"""Shares of the workers' time: start-time fair queueing by the seconds that each client's checks have used."""

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count

_FIRST_ESTIMATE_SECONDS = 0.05  # for a check before any was charged
_RECENT = 0.2  # weight of a charge in the mean of recent charges


@dataclass(eq=False)
class _Account:
    """What a client has used, and whether it takes part.

    `used` is in virtual time: worker seconds, on top of the virtual time of the client's arrival. `turn` decides between equals: the number
    of the take that served the client last; an arrival comes just before the client that was served last.
    """

    used: float = 0.0
    turn: tuple[int, int] = (0, 0)
    estimate: float | None = None
    waits: bool = False
    running: int = 0

    @property
    def idle(self) -> bool:
        return not self.waits and not self.running


class Shares:
    """Accounts of clients: the one that has used least is next. Every operation takes logarithmic time, amortised, for each client named.

    A newcomer, or a client that was idle, starts at the present virtual time: it neither starves others nor is starved. Idle clients that
    virtual time has passed are forgotten.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._ranks: list[tuple[float, tuple[int, int], str]] = []  # heap of those who wait; outdated entries are passed over
        self._resting: list[tuple[float, str]] = []  # heap of those who were idle
        self._arrivals = count(1)
        self._served = 0
        self._estimate: float | None = None
        self._started = 0.0  # the latest virtual time at which a job was taken
        self._latest = _Account()  # whose job that was

    def __len__(self) -> int:
        return len(self._accounts)

    def arrive(self, name: str) -> None:
        """Let a client wait that did not."""
        account = self._accounts.setdefault(name, _Account())
        account.used = max(account.used, self._virtual_time())
        account.turn = (self._served - 1, next(self._arrivals))
        account.waits = True
        self._rank(name, account)

    def depart(self, name: str) -> None:
        """Let a client wait no longer: it has no more jobs in its lines."""
        account = self._accounts[name]
        account.waits = False
        self._rest(name, account)

    def least(self) -> str | None:
        """Return the client that is next, or None if none waits."""
        while self._ranks:
            used, turn, name = self._ranks[0]
            account = self._accounts.get(name)
            if account is not None and account.waits and (account.used, account.turn) == (used, turn):
                return name
            heapq.heappop(self._ranks)
        return None

    def start(self, name: str, sharing: Collection[str]) -> float:
        """Let a job begin in the client's turn, for all who share it, and return the seconds that it counts until it is charged."""
        account = self._accounts[name]
        self._served += 1
        self._started, self._latest = max(self._started, account.used), account
        account.turn = (self._served, 0)
        for other in sharing:
            self._accounts[other].running += 1
        estimate = self._first_estimate() if account.estimate is None else account.estimate
        self.count(sharing, estimate)
        self._forget()
        return estimate

    def stop(self, sharing: Collection[str]) -> None:
        """Let a job end for all who share it."""
        for name in sharing:
            self._accounts[name].running -= 1
            self._rest(name, self._accounts[name])

    def count(self, sharing: Collection[str], seconds: float) -> None:
        """Count seconds, or take them back if negative, in equal shares."""
        for name in sharing:
            if (account := self._accounts.get(name)) is not None:
                account.used += seconds / len(sharing)
                if account.waits:
                    self._rank(name, account)
                else:
                    self._rest(name, account)

    def learn(self, sharing: Collection[str], seconds: float) -> None:
        """Let the estimates of those who shared a job follow what it took."""
        self._estimate = _mean(self._estimate, seconds)
        for name in sharing:
            if (account := self._accounts.get(name)) is not None:
                account.estimate = _mean(account.estimate, seconds)

    def _first_estimate(self) -> float:
        return _FIRST_ESTIMATE_SECONDS if self._estimate is None else self._estimate

    def _virtual_time(self) -> float:
        """Return where a newcomer starts: with the least of those who wait, and behind earlier newcomers, whose jobs move it on."""
        least = self.least()
        reached = max(self._started, min(self._latest.used, self._started + self._first_estimate()))
        return reached if least is None else max(reached, self._accounts[least].used)

    def _rank(self, name: str, account: _Account) -> None:
        heapq.heappush(self._ranks, (account.used, account.turn, name))
        if len(self._ranks) > 2 * len(self._accounts) + 64:
            self._ranks = [(each.used, each.turn, client) for client, each in self._accounts.items() if each.waits]
            heapq.heapify(self._ranks)

    def _rest(self, name: str, account: _Account) -> None:
        if account.idle:
            heapq.heappush(self._resting, (account.used, name))

    def _forget(self) -> None:
        while self._resting and self._resting[0][0] <= self._started:
            _, name = heapq.heappop(self._resting)
            account = self._accounts.get(name)
            if account is not None and account.idle and account.used <= self._started:
                del self._accounts[name]


def _mean(mean: float | None, seconds: float) -> float:
    return seconds if mean is None else mean + _RECENT * (seconds - mean)
