"""Trials of attacks on a pool, alone and together with their accomplices, and their outcomes."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Literal

import msgspec

from lean_worker.pool import Pool
from lean_worker.protocol import Check, Tier, Verdict
from lean_worker.tools.attacks import Attack
from lean_worker.tools.benchmark import sample_checks

Outcome = Literal["as expected", "wrong", "no verdict"]

Circumstance = Literal["alone", "after its accomplices", "before its accomplices"]


class Trial(msgspec.Struct, frozen=True):
    """One trial of one attack."""

    attack: Attack
    tier: Tier
    circumstance: Circumstance
    verdict: Verdict

    @property
    def outcome(self) -> Outcome:
        """Compare the verdict with the required one; a secret in a message makes it wrong."""
        if self.attack.secret and any(self.attack.secret in message.text for message in self.verdict.messages):
            return "wrong"
        if self.verdict.accepted is None:
            return "no verdict"
        return "as expected" if self.verdict.accepted is (self.attack.expected == "accepted") else "wrong"

    @property
    def failed(self) -> bool:
        """Whether the attack succeeded: a wrong verdict, or none where a verdict is required."""
        return self.outcome == "wrong" or (self.outcome == "no verdict" and not self.attack.may_end_without_verdict)

    def __str__(self) -> str:
        message = " ".join(message.text for message in self.verdict.messages).replace("\n", " ")[:100] or "no message"
        expected = self.attack.expected + (" without showing a secret" if self.attack.secret else "")
        return (
            f"{self.attack.category}: {self.attack.check.id}, {self.tier} tier, {self.circumstance}: "
            f"must be {expected}, got {self.verdict.kind} ({message})"
        )


def try_alone(pool: Pool, attacks: Iterable[Attack], tier: Tier, on_trial: Callable[[], object] = lambda: None) -> list[Trial]:
    """Check all attacks concurrently, without their accomplices."""
    asked = [(attack, _ask(pool, attack.check, tier, "attacker")) for attack in attacks]
    return [_trial(attack, tier, "alone", future, on_trial) for attack, future in asked]


def try_together(pool: Pool, attacks: Iterable[Attack], tier: Tier, on_trial: Callable[[], object] = lambda: None) -> list[Trial]:
    """Check each attack that has accomplices right after them, and then right before them.

    A pool of one worker gives every accomplice the chance to meet the attack in one Lean process.
    """
    trials = []
    for attack in attacks:
        if attack.accomplices:
            before = [_ask(pool, check, tier, "accomplice") for check in attack.accomplices]
            future = _ask(pool, attack.check, tier, "attacker")
            trials.append(_trial(attack, tier, "after its accomplices", future, on_trial))
            _wait(before)
            future = _ask(pool, attack.check, tier, "attacker")
            accomplices = [_ask(pool, check, tier, "accomplice") for check in attack.accomplices]
            trials.append(_trial(attack, tier, "before its accomplices", future, on_trial))
            _wait(accomplices)
    return trials


def is_well(pool: Pool) -> bool:
    """Return whether the pool gives the right verdicts on a few correct and wrong proofs per worker."""
    checks = sample_checks(5 * pool.workers)
    return [verdict.accepted for verdict in pool.check_many(checks)] == [True, True, True, True, False] * pool.workers


def count_trials(attacks: Sequence[Attack]) -> int:
    """Return the number of trials on one tier, alone and together."""
    return len(attacks) + 2 * sum(bool(attack.accomplices) for attack in attacks)


def outcomes(trials: Iterable[Trial]) -> dict[str, Counter[Outcome]]:
    """Count the attacks of each class by their worst outcome: wrong, then no verdict."""
    severity: tuple[Outcome, ...] = ("as expected", "no verdict", "wrong")
    worst: dict[tuple[str, str], Outcome] = {}
    for trial in trials:
        key = trial.attack.category, trial.attack.check.id
        worst[key] = max(worst.get(key, "as expected"), trial.outcome, key=severity.index)
    table: dict[str, Counter[Outcome]] = {}
    for (category, _), outcome in worst.items():
        table.setdefault(category, Counter()).update([outcome])
    return table


def _ask(pool: Pool, check: Check, tier: Tier, client: str) -> "Future[Verdict]":
    return pool.submit(msgspec.structs.replace(check, tier=tier), client)


def _trial(attack: Attack, tier: Tier, circumstance: Circumstance, future: "Future[Verdict]", on_trial: Callable[[], object]) -> Trial:
    verdict = future.result()
    on_trial()
    return Trial(attack, tier, circumstance, verdict)


def _wait(futures: Iterable["Future[Verdict]"]) -> None:
    for future in futures:
        future.result()
