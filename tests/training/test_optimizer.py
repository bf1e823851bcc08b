from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny import CONFIG, weights

from oprover_jax.training.optimizer import OptimizerConfig, learning_rate, make_optimizer


def test_schedules() -> None:
    total, warmup = 100, 10
    rates = {
        name: [learning_rate(OptimizerConfig(schedule=name, warmup_steps=warmup, peak_lr=2.0), n, total) for n in range(total + 1)]
        for name in ("cosine", "wsd", "linear", "constant")
    }
    for curve in rates.values():
        assert curve[:warmup] == pytest.approx([2.0 * (n + 1) / warmup for n in range(warmup)])
        assert curve[warmup] == max(curve) == 2.0
        assert all(a >= b for a, b in zip(curve[warmup:], curve[warmup + 1 :]))
    assert rates["constant"][total] == 2.0
    assert all(rates[name][total] == pytest.approx(0.2) for name in ("cosine", "wsd", "linear"))
    assert rates["cosine"][55] == pytest.approx(1.1) and rates["linear"][55] == pytest.approx(1.1)
    assert rates["wsd"][82] == pytest.approx(2.0) and rates["wsd"][84] < 1.99


@pytest.mark.parametrize("name", ["adamw", "muon", "adafactor"])
def test_decay_spares_norms_and_the_embedding(name: str) -> None:
    params = weights()
    zeros = jax.tree.map(jnp.zeros_like, params)
    optimizer = make_optimizer(OptimizerConfig(name=name, weight_decay=0.1))
    updates, _ = jax.jit(optimizer.update)(zeros, optimizer.init(params), params)
    for path, update in jax.tree_util.tree_leaves_with_path(updates):
        names = [entry.key for entry in path]
        spared = names[-1] in ("scale", "embedding")
        expected = 0.0 if spared else -0.1
        weight = params
        for part in names:
            weight = weight[part]
        np.testing.assert_allclose(update, expected * weight, rtol=1e-5, atol=1e-7)


def test_muon_orthogonalises_each_layer_by_itself() -> None:
    """The update of a layer's matrix does not depend on the other layers, and its singular values are nearly equal."""
    params, grads = weights(), weights(seed=1)
    optimizer = make_optimizer(OptimizerConfig(name="muon", clip_norm=1e6))
    update = jax.jit(lambda g: optimizer.update(g, optimizer.init(params), params)[0])
    both = update(grads)
    other = update(jax.tree.map(lambda g: jnp.concatenate([g[:1], 7 * g[1:]]) if g.ndim > 2 else g, grads))
    for name, rows in (("q", CONFIG.hidden_size), ("out", CONFIG.num_heads * CONFIG.head_dim)):
        ours, theirs = np.asarray(both["layers"]["attention"][name]), np.asarray(other["layers"]["attention"][name])
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)  # scale of another layer's gradient changes nothing
        singular = np.linalg.svd(ours[0].reshape(rows, -1), compute_uv=False)
        before = np.linalg.svd(np.asarray(grads["layers"]["attention"][name])[0].reshape(rows, -1), compute_uv=False)
        assert singular.max() / singular.min() < 2.5 < before.max() / before.min()


def test_impossible_settings_are_refused() -> None:
    for settings, match in [
        ({"peak_lr": 0.0}, "peak_lr is 0.0"),
        ({"b2": 1.0}, "b2 is 1.0"),
        ({"decay_fraction": 1.5}, "decay_fraction is 1.5"),
        ({"weight_decay": -1.0}, "neither may be negative"),
    ]:
        with pytest.raises(ValueError, match=match):
            OptimizerConfig(**settings)


def test_what_a_program_depends_on() -> None:
    one = OptimizerConfig(peak_lr=1.0, schedule="wsd", warmup_steps=7, final_lr_ratio=0.5, decay_fraction=0.5, weight_decay=0.1)
    assert one.program == OptimizerConfig(weight_decay=0.1).program != OptimizerConfig(weight_decay=0.2).program
    tree = {"layers": {"w": np.ones((2, 3, 3), np.float32)}}
    for settings in (one, OptimizerConfig(weight_decay=0.1)):
        optimizer = make_optimizer(settings)
        update, _ = optimizer.update(tree, optimizer.init(tree), tree)
        np.testing.assert_allclose(update["layers"]["w"], -1.1, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("cosine", lambda: optax.cosine_decay_schedule(2.0, 90, alpha=0.1)),
        ("linear", lambda: optax.linear_schedule(2.0, 0.2, 90)),
        ("constant", lambda: optax.constant_schedule(2.0)),
        ("wsd", lambda: optax.join_schedules([optax.constant_schedule(2.0), optax.linear_schedule(2.0, 0.2, 18)], [72])),
    ],
)
def test_schedules_are_those_of_optax_after_warm_up(name: str, reference: Callable[[], optax.Schedule]) -> None:
    config, expected = OptimizerConfig(schedule=name, warmup_steps=10, peak_lr=2.0), reference()
    assert [learning_rate(config, 10 + n, 100) for n in range(91)] == pytest.approx([float(expected(n)) for n in range(91)], rel=1e-5)


def test_adamw_with_clipping_and_decay_against_numpy() -> None:
    """Three steps of clip by global norm, AdamW (arXiv 1711.05101, algorithm 2) and decoupled decay in float64."""
    config = OptimizerConfig(weight_decay=0.1, clip_norm=0.5, b1=0.8, b2=0.95, eps=1e-6)
    rng = np.random.default_rng(0)
    params = {"embedding": rng.normal(size=(6, 4)), "layers": {"w": rng.normal(size=(2, 4, 3)), "scale": rng.normal(size=(2, 4))}}
    optimizer = make_optimizer(config)
    ours = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), params)
    state, update = optimizer.init(ours), jax.jit(optimizer.update)
    decayed = {"embedding": 0.0, "layers": {"w": 0.1, "scale": 0.0}}
    m = v = jax.tree.map(np.zeros_like, params)
    for step, rate in enumerate((0.1, 0.05, 0.02), start=1):
        grads = jax.tree.map(lambda x: rng.normal(size=x.shape), params)
        norm = np.sqrt(sum((g**2).sum() for g in jax.tree.leaves(grads)))
        clipped = jax.tree.map(lambda g: g * min(1.0, 0.5 / norm), grads)  # noqa: B023
        m = jax.tree.map(lambda m, g: 0.8 * m + 0.2 * g, m, clipped)
        v = jax.tree.map(lambda v, g: 0.95 * v + 0.05 * g**2, v, clipped)
        moved = lambda p, m, v, d: p - rate * (m / (1 - 0.8**step) / (np.sqrt(v / (1 - 0.95**step)) + 1e-6) + d * p)  # noqa: B023, E731
        params = jax.tree.map(moved, params, m, v, decayed)
        updates, state = update(jax.tree.map(lambda g: jnp.asarray(g, jnp.float32), grads), state, ours)
        ours = jax.tree.map(lambda p, u: p + rate * u, ours, updates)  # noqa: B023
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6), ours, params)


def test_adafactor_against_numpy() -> None:
    """Two steps of the factored second moment, relative decay and update clipping (arXiv 1804.04235, algorithm 4, without a
    relative step size) in float64, layer by layer on a stacked weight."""
    rng = np.random.default_rng(0)
    weight = {"layers": {"w": jnp.zeros((2, 128, 160), jnp.float32)}}
    optimizer = make_optimizer(OptimizerConfig(name="adafactor", clip_norm=1e9))
    state, update = optimizer.init(weight), jax.jit(optimizer.update)
    rows, columns = np.zeros((2, 128)), np.zeros((2, 160))
    for step in (1, 2):
        grad = rng.normal(size=(2, 128, 160))
        keep = 1 - step**-0.8
        square = grad**2 + 1e-30
        rows = keep * rows + (1 - keep) * square.mean(2)
        columns = keep * columns + (1 - keep) * square.mean(1)
        second = rows[:, :, None] * columns[:, None, :] / rows.mean(1)[:, None, None]
        direction = grad / np.sqrt(second)
        direction /= np.maximum(1.0, np.sqrt((direction**2).mean()))
        updates, state = update({"layers": {"w": jnp.asarray(grad, jnp.float32)}}, state, weight)
        np.testing.assert_allclose(updates["layers"]["w"], -direction, rtol=2e-4, atol=1e-5)


def test_muons_updates_have_the_size_of_adamws() -> None:
    params, grads = weights(), weights(seed=1)
    optimizer = make_optimizer(OptimizerConfig(name="muon", clip_norm=1e6))
    update = jax.jit(lambda g: optimizer.update(g, optimizer.init(params), params)[0])(grads)
    for leaf in (update["layers"]["mlp"]["gate"], update["layers"]["attention"]["q"]):
        assert float(jnp.sqrt(jnp.mean(leaf**2))) == pytest.approx(
            0.2, rel=0.35
        )  # Newton-Schulz leaves singular values in about 0.7 to 1.2
