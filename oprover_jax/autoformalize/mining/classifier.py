"""Classifier of mathematical statements: file format and inference, with numpy only so that many processes can load it.

The model is fastText's (arXiv 1607.01759): the mean of feature embeddings, a linear layer and a softmax over two classes. With two classes
the logit is a mean of one number per bucket, so that inference needs one gather and no matrix product.
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
    """Sizes and training settings of a classifier.

    Attributes:
      buckets: Number of feature hash buckets, a power of two.
      width: Embedding dimension.
      longest: Maximum number of features of a training text; inference uses all.
      epochs: Training epochs.
      batch: Batch size.
      peak_lr: Learning rate for gradients summed over a batch, with linear decay to 0.
      precision: The threshold maximizes recall at this precision.
      base_rate: Assumed share of statements in the text to be mined, which is lower than in labelled rows.
      seed: Random seed.
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
            raise ValueError(f"precision is {self.precision} and base_rate is {self.base_rate}; they must be in (0, 1] and (0, 1)")


class HeldOut(msgspec.Struct, frozen=True):
    """Metrics on rows used neither for training nor for the threshold; `precision` is at the configured base rate.

    `reached` is True if some threshold had the configured precision on the calibration rows; otherwise the best threshold is used.
    """

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
    """Trained classifier: weights, and `held_out` with its threshold and metrics."""

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
        """Hash of the weights, which identifies the origin of a score."""
        digest = hashlib.sha256()
        for weights in (self.embedding, self.head, self.bias):
            digest.update(np.ascontiguousarray(weights).tobytes())
        return digest.hexdigest()

    @cached_property
    def _direction(self) -> Float32[np.ndarray, " buckets"]:
        return self.embedding @ (self.head[:, 1] - self.head[:, 0])

    def scores(self, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        """Return the probability that each text is a mathematical statement."""
        logits = [self._logits(batch) for batch in _batches(texts)]
        return 1 / (1 + np.exp(-np.concatenate(logits))) if logits else np.zeros(0)

    def _logits(self, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        hashed = features(texts, self.config.buckets)
        sums = np.bincount(hashed.rows, weights=self._direction[hashed.ids], minlength=len(texts))
        counts = np.bincount(hashed.rows, minlength=len(texts))
        return sums / np.maximum(counts, 1) + float(self.bias[1] - self.bias[0])

    def save(self, path: Path) -> None:
        """Write the classifier atomically to one file."""
        about = _About(FORMAT, asdict(self.config), self.held_out, self.labelled, self.sha256)
        text = np.frombuffer(msgspec.json.encode(about), np.uint8)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, embedding=self.embedding, head=self.head, bias=self.bias, about=text)


def load_classifier(path: Path) -> Classifier:
    """Load a classifier; raise InputError if the file is not a classifier, has another format or is damaged."""
    if not path.is_file():
        raise InputError(f"classifier {path} does not exist; train one with `oprover corpus train-classifier`")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            about = msgspec.json.decode(stored["about"].tobytes(), type=_About)
            weights = {name: stored[name] for name in ("embedding", "head", "bias")}
            config = ClassifierConfig(**about.config)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, msgspec.DecodeError) as error:
        raise InputError(f"{path} is not a classifier that this version reads ({error}); train it again") from error
    classifier = Classifier(config, **weights, held_out=about.held_out, labelled=about.labelled)
    if about.format != FORMAT or classifier.sha256 != about.sha256:
        raise InputError(f"{path} is damaged or has another format than {FORMAT}; train it again")
    return classifier


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield batches of texts of about equal total size, so that the working set stays in the cache."""
    start, size = 0, 0
    for index, text in enumerate(texts):
        size += len(text) + 1
        if size >= _BATCH_CHARACTERS:
            yield texts[start : index + 1]
            start, size = index + 1, 0
    if start < len(texts):
        yield texts[start:]
