"""Small generated texts: statements of mathematics, and the prose around them."""

import random
from pathlib import Path

import pytest

from oprover_jax.autoformalize.mining.classifier import Classifier, ClassifierConfig
from oprover_jax.autoformalize.mining.fit import Labelled, fit

CONFIG = ClassifierConfig(buckets=1 << 12, width=4, epochs=4, batch=16, peak_lr=0.3)

_OPENINGS = ("Let $n$ be a natural number.", "Suppose that $a < b$ are integers.", "For all real numbers $x$ and $y$,", "If $p$ is prime,")
_CLAIMS = (
    "Prove that ${} + n$ is even.",
    "show that $a^{} \\le b^{}$.",
    "then ${}$ divides $p^2 - 1$.",
    "Find all solutions of $x^2 = {}$.",
)
_PROSE = (
    "This package is released under the licence of {} contributors.",
    "Install version {} with the package manager and read the manual.",
    "We thank the {} members of our institute for their support.",
    "The function returns {} when the file cannot be opened.",
)


def statements(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [f"{draw.choice(_OPENINGS)} {draw.choice(_CLAIMS).replace('{}', str(i))}" for i in range(count)]


def prose(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [f"{draw.choice(_PROSE).format(i)} {draw.choice(_PROSE).format(i + 1)}" for i in range(count)]


def labelled(count: int = 800) -> list[Labelled]:
    return [Labelled(t, "statement") for t in statements(count)] + [Labelled(t, "other") for t in prose(count)]


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return fit(labelled(), CONFIG)


@pytest.fixture(scope="session")
def classifier_file(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classifier") / "classifier.npz"
    classifier.save(path)
    return path
