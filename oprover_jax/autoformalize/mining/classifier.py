"""The classifier of mathematical statements, as it is kept in one file and used: numpy alone, so that many processes may load it.

fastText's model (arXiv 1607.01759): the mean of the features' embeddings, a linear layer, a softmax over two classes. With two classes
the logit is a mean of one number per bucket, so reading takes one gather and no matrix product.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float, Float32

from oprover_jax.autoformalize.mining.features import features
from oprover_jax.errors import InputError
from oprover_jax.files import replacing

FORMAT = 1
_BATCH_CHARACTERS = 1 << 19


@dataclass(frozen=True)
class ClassifierConfig:
    """Sizes and training of a classifier. `longest`: features of a training text beyond this many are left out; reading takes all.
    `peak_lr` falls linearly to 0, for gradients summed over a batch.

    `precision`: the threshold takes the most rows at which this share of what is taken are statements, if `base_rate` of the text that
    will be mined are: labelled rows hold more of them than the web does.
    """

    buckets: int = 1 << 18
    width: int = 16
    longest: int = 512
    epochs: int = 8
    batch: int = 16
    peak_lr: float = 0.3
    precision: float = 0.9
    base_rate: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.buckets < 2 or self.buckets & (self.buckets - 1) or self.buckets > 1 << 30:
            raise ValueError(f"buckets is {self.buckets}; it must be a power of two, at most 2^30")
        for name in ("width", "longest", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not (0 < self.precision <= 1 and 0 < self.base_rate < 1):
            raise ValueError(f"precision is {self.precision} and base_rate {self.base_rate}; give shares, in (0, 1] and (0, 1)")


class HeldOut(msgspec.Struct, frozen=True):
    """What rows say that neither training nor the choice of the threshold saw; `precision` is at the configuration's base rate. `reached`:
    whether any threshold had the asked precision on the calibration rows; where none had, it is that of the best."""

    rows: int
    statements: int
    precision: float
    recall: float
    auc: float
    threshold: float
    reached: bool


class _About(msgspec.Struct, frozen=True):
    format: int
    config: dict[str, Any]
    held_out: HeldOut
    labelled: str  # hash of the labelled rows
    sha256: str  # of the weights


@dataclass(frozen=True)
class Classifier:
    """`embedding` and `head` are the trained weights; `held_out` tells what to expect of them and at which threshold."""

    config: ClassifierConfig
    embedding: Float32[np.ndarray, "buckets width"] = field(repr=False)
    head: Float32[np.ndarray, "width 2"] = field(repr=False)
    bias: Float32[np.ndarray, " 2"] = field(repr=False)
    held_out: HeldOut
    labelled: str

    @property
    def threshold(self) -> float:
        return self.held_out.threshold

    @cached_property
    def sha256(self) -> str:
        """Of the weights: what a candidate's score is a score of."""
        digest = hashlib.sha256()
        for weights in (self.embedding, self.head, self.bias):
            digest.update(np.ascontiguousarray(weights).tobytes())
        return digest.hexdigest()

    @cached_property
    def _direction(self) -> Float32[np.ndarray, " buckets"]:
        return self.embedding @ (self.head[:, 1] - self.head[:, 0])

    def scores(self, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        """The probability of each text to be a mathematical statement."""
        logits = [self._logits(batch) for batch in _batches(texts)]
        return 1 / (1 + np.exp(-np.concatenate(logits))) if logits else np.zeros(0)

    def _logits(self, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        found = features(texts, self.config.buckets)
        sums = np.bincount(found.rows, weights=self._direction[found.ids], minlength=len(texts))
        counts = np.bincount(found.rows, minlength=len(texts))
        return sums / np.maximum(counts, 1) + float(self.bias[1] - self.bias[0])

    def save(self, path: Path) -> None:
        about = _About(FORMAT, asdict(self.config), self.held_out, self.labelled, self.sha256)
        text = np.frombuffer(msgspec.json.encode(about), np.uint8)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, embedding=self.embedding, head=self.head, bias=self.bias, about=text)


def load_classifier(path: Path) -> Classifier:
    """Raises InputError for a file that is no classifier, of another format, or damaged."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; `oprover corpus train-classifier` writes one")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            about = msgspec.json.decode(stored["about"].tobytes(), type=_About)
            weights = {name: stored[name] for name in ("embedding", "head", "bias")}
            config = ClassifierConfig(**about.config)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, msgspec.DecodeError) as error:
        raise InputError(f"{path} is no classifier that this version reads ({error}); train it again") from error
    found = Classifier(config, **weights, held_out=about.held_out, labelled=about.labelled)
    if about.format != FORMAT or found.sha256 != about.sha256:
        raise InputError(f"{path} is damaged, or of another format than {FORMAT}; train it again")
    return found


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Runs of texts of about equal size together: what is in work stays in the cache."""
    start, size = 0, 0
    for index, text in enumerate(texts):
        size += len(text) + 1
        if size >= _BATCH_CHARACTERS:
            yield texts[start : index + 1]
            start, size = index + 1, 0
    if start < len(texts):
        yield texts[start:]
