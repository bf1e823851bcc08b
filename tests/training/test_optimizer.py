import jax
import jax.numpy as jnp
import numpy as np
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
    for name, rows in (("q", CONFIG.embed), ("out", CONFIG.q_heads * CONFIG.head_dim)):
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
