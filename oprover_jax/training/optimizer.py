"""Optimizers and learning-rate schedules.

A transformation made here has unit learning rate, and the rate of a step is an argument of the train step: schedule,
peak and length of a stage are data of the compiled program, so stages of the same shapes share it.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

import jax
import optax

__all__ = ["OptimizerConfig", "learning_rate", "make_optimizer"]

OptimizerName = Literal["adamw", "muon", "adafactor"]
ScheduleName = Literal["cosine", "wsd", "linear", "constant"]

_KeyPath = tuple[Any, ...]


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer, learning-rate schedule and gradient clipping.

    `peak_lr` is reached after `warmup_steps`; then "cosine" and "linear" fall to `final_lr_ratio` of it over the stage,
    "wsd" stays and falls linearly over the last `decay_fraction` of the stage, "constant" stays. `weight_decay` is
    decoupled (times the learning rate) and spares norms and embeddings. `clip_norm` bounds the global gradient norm.
    A step whose gradient norm is above `spike_factor` times the median of the last 64 is skipped (0: none is; a healthy run's
    norms stay within a few times their median once it has settled, so 10 catches only bad batches).
    Muon's updates are scaled to the root mean square of AdamW's (arXiv 2502.16982), so that a rate means the same.
    """

    name: OptimizerName = "adamw"
    peak_lr: float = 1e-3
    schedule: ScheduleName = "cosine"
    warmup_steps: int = 20
    final_lr_ratio: float = 0.1
    decay_fraction: float = 0.2
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    spike_factor: float = 0.0
    b1: float = 0.9
    b2: float = 0.95
    eps: float = 1e-8
    muon_momentum: float = 0.95

    def __post_init__(self) -> None:
        if self.name not in get_args(OptimizerName):
            raise ValueError(f"optimizer.name is {self.name!r}; choose one of {', '.join(get_args(OptimizerName))}")
        if self.schedule not in get_args(ScheduleName):
            raise ValueError(f"schedule is {self.schedule!r}; choose one of {', '.join(get_args(ScheduleName))}")
        for field in ("peak_lr", "clip_norm", "eps"):
            if not 0 < getattr(self, field) < math.inf:
                raise ValueError(f"{field} is {getattr(self, field)}; give a positive number")
        for field in ("b1", "b2", "muon_momentum"):
            if not 0 <= getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; give a decay rate in [0, 1)")
        for field in ("final_lr_ratio", "decay_fraction"):
            if not 0 <= getattr(self, field) <= 1:
                raise ValueError(f"{field} is {getattr(self, field)}; give a fraction in [0, 1]")
        if self.spike_factor and not 1 < self.spike_factor < math.inf:
            raise ValueError(f"spike_factor is {self.spike_factor}; give a number above 1, or 0 to disable skipping")
        if self.warmup_steps < 0 or self.weight_decay < 0:
            raise ValueError(f"warmup_steps and weight_decay are {self.warmup_steps} and {self.weight_decay}; neither may be negative")

    @property
    def program(self) -> "OptimizerConfig":
        """Copy with the default schedule: configurations with equal `program` can share one compiled train step."""
        schedule = ("peak_lr", "schedule", "warmup_steps", "final_lr_ratio", "decay_fraction")
        defaults: dict[str, Any] = {field.name: field.default for field in fields(self) if field.name in schedule}
        return replace(self, **defaults)


def learning_rate(config: OptimizerConfig, step: int, total_steps: int) -> float:
    """Return the rate of step `step` (from 0) in a stage of `total_steps`. Warm-up starts above 0, so the first step counts."""
    if step < config.warmup_steps:
        return config.peak_lr * (step + 1) / config.warmup_steps
    after = max(1, total_steps - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / after)
    span = 1.0 - config.final_lr_ratio
    if config.schedule == "cosine":
        share = config.final_lr_ratio + span * 0.5 * (1 + math.cos(math.pi * progress))
    elif config.schedule == "linear":
        share = 1.0 - span * progress
    elif config.schedule == "wsd" and config.decay_fraction > 0:
        share = 1.0 - span * max(0.0, 1 - (1 - progress) / config.decay_fraction)
    else:
        share = 1.0
    return config.peak_lr * share


def make_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """Return clip, direction and weight decay at learning rate 1; its updates are to be scaled by the step's rate and added."""
    if config.name == "adamw":
        direction = optax.adamw(1.0, config.b1, config.b2, config.eps, weight_decay=config.weight_decay, mask=_decayed)
    elif config.name == "adafactor":
        direction = optax.adafactor(
            1.0, multiply_by_parameter_scale=False, weight_decay_rate=config.weight_decay or None, weight_decay_mask=_decayed
        )
    else:
        direction = optax.contrib.muon(
            1.0,
            beta=config.muon_momentum,
            weight_decay=config.weight_decay,
            adam_b1=config.b1,
            adam_b2=config.b2,
            muon_weight_dimension_numbers=_muon_dimensions,
            consistent_rms=0.2,
        )
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), direction)


def _decayed(params: Any) -> Any:
    """Return True for the matrices inside layers and an untied head; False for norms and the embedding table."""
    return jax.tree_util.tree_map_with_path(lambda path, _: _names(path)[-1] not in ("scale", "embedding"), params)


def _muon_dimensions(params: Any) -> Any:
    """Return the axes of a stacked weight that form the matrix orthogonalised by Muon, layer by layer; None leaves a leaf to AdamW.

    Weights of layers are [layers, in, *out], and the attention's output projection is [layers, heads, d, out].
    """

    def dimensions(path: _KeyPath, leaf: Any) -> optax.contrib.MuonDimensionNumbers | None:
        names = _names(path)
        if names[0] != "layers" or names[-1] == "scale":
            return None
        axes = tuple(range(1, leaf.ndim))
        if names[-1] == "out":
            return optax.contrib.MuonDimensionNumbers(axes[:-1], axes[-1:])
        return optax.contrib.MuonDimensionNumbers(axes[:1], axes[1:])

    return jax.tree_util.tree_map_with_path(dimensions, params)


def _names(path: _KeyPath) -> tuple[str, ...]:
    return tuple(entry.key for entry in path if isinstance(entry, jax.tree_util.DictKey))
