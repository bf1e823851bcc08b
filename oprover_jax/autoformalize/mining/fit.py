"""Training of the classifier from labelled texts, with held-out metrics; deterministic in the rows and the seed."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Int32
from scipy.stats import rankdata

from oprover_jax.autoformalize.mining.classifier import Classifier, ClassifierConfig, HeldOut
from oprover_jax.autoformalize.mining.features import features
from oprover_jax.autoformalize.mining.normal_text import text_id
from oprover_jax.errors import InputError
from oprover_jax.progress import ProgressConsole

Params = dict[str, jax.Array]
OnStep = Callable[[int, int, float], None]
_FEWEST = 20  # minimum rows of each label in a part for meaningful metrics


class Labelled(msgspec.Struct, frozen=True):
    """Labelled text; a row of the file is `{"text": "...", "label": "statement"}`, or with the label "other"."""

    text: str
    label: Literal["statement", "other"]


def read_labelled(path: Path) -> list[Labelled]:
    """Return the distinct texts of a JSONL file, in order; raise InputError, with the line, for invalid rows and contradictory labels."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a JSONL file with text and label on each line")
    distinct: dict[str, Labelled] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=Labelled)
        except msgspec.DecodeError as error:
            raise InputError(f'{path}, line {number}: {error}; each row needs text and label ("statement" or "other")') from error
        if distinct.setdefault(text_id(row.text), row).label != row.label:
            raise InputError(f"{path}, line {number}: this text has the other label in an earlier line; keep one of the two rows")
    return list(distinct.values())


def train_classifier(labelled: Path, out: Path, config: ClassifierConfig, console: ProgressConsole) -> Classifier:
    """Train a classifier, print its held-out metrics and write it (`oprover corpus train-classifier`).

    Args:
      labelled: JSONL file of labelled texts.
      out: Output file.
      config: Sizes and training settings.
      console: Receives progress and metrics.

    Raises:
      InputError: The rows cannot be read or are too few, or `out` is a directory or its parent does not exist.
    """
    if not out.parent.is_dir() or out.is_dir():
        raise InputError(f"--out: {out} cannot be written; give a file in an existing directory")
    rows = read_labelled(labelled)
    with console.bar("train-classifier") as progress:
        progress.total(100)
        trained = fit(rows, config, lambda done, of, loss: progress.update(100 * done // of, f"loss {loss:.4f}"))
    trained.save(out)
    result = trained.held_out
    console.line(f"{len(rows)} distinct texts; {result.rows} held out, including {result.statements} statements")
    console.line(
        f"AUC {result.auc:.4f}; at threshold {result.threshold:.4f}: recall {result.recall:.3f}, "
        f"precision {result.precision:.3f} at a base rate of {config.base_rate:.0%} statements"
    )
    if not result.reached:
        console.line(f"warning: no threshold has precision {config.precision} on the calibration rows; using the best. Label more texts")
    console.line(f"written to {out}")
    return trained


class _Split(NamedTuple):
    """Row numbers for training (90%), for the choice of the threshold (5%) and for the reported metrics (5%)."""

    learn: Int[np.ndarray, " a"]
    calibrate: Int[np.ndarray, " b"]
    report: Int[np.ndarray, " c"]


def fit(rows: Sequence[Labelled], config: ClassifierConfig, on_step: OnStep = lambda *_: None) -> Classifier:
    """Train on most of the rows, and choose the threshold and compute metrics on the rest.

    Args:
      rows: Labelled texts.
      config: Sizes and training settings.
      on_step: Called occasionally with (steps done, total steps, loss).

    Raises:
      InputError: A part has too few rows of a label.
    """
    labels = np.array([row.label == "statement" for row in rows], bool)
    split = _split(rows, labels)
    params = _train([rows[i].text for i in split.learn], labels[split.learn], config, on_step)
    digest = hashlib.sha256(b"\n".join(sorted(msgspec.json.encode(row) for row in rows))).hexdigest()
    unknown = HeldOut(0, 0, 0.0, 0.0, 0.0, 0.5, False)
    trained = Classifier(config, params["embedding"], params["head"], params["bias"], unknown, digest)
    scores = trained.scores([rows[i].text for i in split.calibrate])
    threshold, reached = choose_threshold(scores, labels[split.calibrate], config.precision, config.base_rate)
    report_scores, truth = trained.scores([rows[i].text for i in split.report]), labels[split.report]
    taken = report_scores >= threshold
    held_out = HeldOut(
        rows=len(truth),
        statements=int(truth.sum()),
        precision=precision(float(taken[truth].mean()), float(taken[~truth].mean()), config.base_rate),
        recall=float(taken[truth].mean()),
        auc=area_under_curve(report_scores, truth),
        threshold=threshold,
        reached=reached,
    )
    return Classifier(config, trained.embedding, trained.head, trained.bias, held_out, digest)


def area_under_curve(scores: Float[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]) -> float:
    """Return the share of (statement, other) pairs in which the statement scores higher; ties count half."""
    ranks = rankdata(scores)
    positive, negative = int(truth.sum()), int((~truth).sum())
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def precision(recall: float, alarms: float, base_rate: float) -> float:
    """Return the precision at a base rate of statements; 0 if nothing is taken.

    Args:
      recall: Share of statements that are taken.
      alarms: Share of other texts that are taken.
      base_rate: Share of statements in all texts.
    """
    right, wrong = base_rate * recall, (1 - base_rate) * alarms
    return right / (right + wrong) if right + wrong else 0.0


def choose_threshold(scores: Float[np.ndarray, " n"], truth: Bool[np.ndarray, " n"], target: float, base_rate: float) -> tuple[float, bool]:
    """Return the lowest threshold with the target precision and True, or the threshold with the best precision and False.

    Thresholds lie halfway between the scores of two rows.

    Args:
      scores: Scores of the calibration rows [n].
      truth: True for statements [n].
      target: Target precision.
      base_rate: Share of statements in all texts.
    """
    levels = np.unique(scores)[::-1]
    recalls, alarms = (1 - np.searchsorted(np.sort(some), levels) / len(some) for some in (scores[truth], scores[~truth]))
    precisions = np.array([precision(r, a, base_rate) for r, a in zip(recalls.tolist(), alarms.tolist(), strict=True)])
    good = np.flatnonzero(precisions >= target)
    last = int(good[-1]) if len(good) else int(np.argmax(precisions))
    below = levels[last + 1] if last + 1 < len(levels) else 0.0
    return float((levels[last] + below) / 2), bool(len(good))


def _split(rows: Sequence[Labelled], labels: Bool[np.ndarray, " n"]) -> _Split:
    """Split by the hash of the text, so that a row stays in its part when other rows are added or removed."""
    place = np.array([int(text_id(row.text)[:8], 16) % 20 for row in rows])
    split = _Split(np.flatnonzero(place > 1), np.flatnonzero(place == 0), np.flatnonzero(place == 1))
    for name, part in split._asdict().items():
        fewest = min(labels[part].sum(), (~labels[part]).sum())
        if fewest < _FEWEST:
            raise InputError(
                f"only {fewest} rows of one label are available to {name}; label more texts, about {20 * _FEWEST * 2} of each are enough"
            )
    return split


def _train(texts: Sequence[str], labels: Bool[np.ndarray, " n"], config: ClassifierConfig, on_step: OnStep) -> dict[str, np.ndarray]:
    ids, weights = _padded(texts, config)
    batch = min(config.batch, len(texts))
    per_epoch = len(texts) // batch
    steps = per_epoch * config.epochs
    step = jax.jit(partial(_step, optax.linear_schedule(config.peak_lr, 0.0, steps)), donate_argnums=0)
    params, draws = _init(config), np.random.default_rng(config.seed)
    for epoch in range(config.epochs):
        order = draws.permutation(len(texts))
        for number in range(per_epoch):
            rows, done = order[number * batch : (number + 1) * batch], epoch * per_epoch + number
            params, loss = step(params, np.int32(done), ids[rows], weights[rows], labels[rows].astype(np.int32))
            if done % 500 == 0 or done + 1 == steps:
                on_step(done + 1, steps, float(loss))
    if not all(bool(jnp.isfinite(value).all()) for value in params.values()):
        raise InputError(f"peak_lr is {config.peak_lr}, with which the training of the classifier diverged; lower it")
    seen = np.zeros(config.buckets, bool)
    seen[ids[weights > 0]] = True  # zero the random initial embeddings of features that never occurred
    return {**{name: np.array(value) for name, value in params.items()}, "embedding": np.array(params["embedding"]) * seen[:, None]}


def _padded(texts: Sequence[str], config: ClassifierConfig) -> tuple[Int32[np.ndarray, "n f"], Float[np.ndarray, "n f"]]:
    """Return the first features of each text and their weights in the mean, 0 for padding."""
    hashed = features(texts, config.buckets)
    counts = np.bincount(hashed.rows, minlength=len(texts))
    place = np.arange(len(hashed.rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = min(config.longest, int(counts.max(initial=1)))
    ids, weights = np.zeros((len(texts), width), np.int32), np.zeros((len(texts), width), np.float32)
    kept = place < width
    ids[hashed.rows[kept], place[kept]] = hashed.ids[kept]
    weights[hashed.rows[kept], place[kept]] = 1 / np.minimum(counts, width)[hashed.rows[kept]]
    return ids, weights


def _init(config: ClassifierConfig) -> Params:
    key = jax.random.key(config.seed)
    embedding = jax.random.uniform(key, (config.buckets, config.width), minval=-1, maxval=1) / config.width
    return {"embedding": embedding, "head": jnp.zeros((config.width, 2)), "bias": jnp.zeros(2)}


def _step(
    rate: optax.Schedule,
    params: Params,
    count: Int[Array, ""],
    ids: Int[Array, "b f"],
    weights: Float[Array, "b f"],
    labels: Int[Array, " b"],
) -> tuple[Params, Float[Array, ""]]:
    """Make one SGD step as in fastText, with gradients summed over a batch; only the embeddings of the batch are updated."""

    def loss(means: jax.Array, head: jax.Array, bias: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(means @ head + bias[None], labels).sum()

    means = jnp.einsum("bf,bfd->bd", weights, params["embedding"][ids])
    value, (of_means, of_head, of_bias) = jax.value_and_grad(loss, (0, 1, 2))(means, params["head"], params["bias"])
    lr = rate(count)
    embedding = params["embedding"].at[ids].add(-lr * weights[:, :, None] * of_means[:, None, :])
    return {"embedding": embedding, "head": params["head"] - lr * of_head, "bias": params["bias"] - lr * of_bias}, value / len(labels)
