from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny import CONFIG, attempts, documents, on, packed, padded, weights

from oprover_jax.data.rows import Row
from oprover_jax.models.qwen3 import abstract_params
from oprover_jax.sharding import MeshConfig, bytes_per_device, make_mesh, planned_mesh
from oprover_jax.training.objectives import cross_entropy
from oprover_jax.training.optimizer import OptimizerConfig, make_optimizer
from oprover_jax.training.step import SPIKE_WINDOW, TrainState, TrainStep, abstract_state, init_state, make_train_step, train_step

pytestmark = pytest.mark.slow

PADDED, PACKED = padded(documents(20), rows=32), packed(documents(20), rows=32)  # equal shapes: one compilation serves both
ADAM = make_optimizer(OptimizerConfig(weight_decay=0.1))
# SGD moves weights by the gradient itself, so equal weights after a step are equal gradients
SGD = optax.GradientTransformation(lambda params: (), lambda grads, state, params: (jax.tree.map(jnp.negative, grads), state))


@cache
def compiled(config: MeshConfig, grad_accum_steps: int) -> tuple[jax.sharding.Mesh, Callable]:
    """The step on a mesh, for padded and packed rows alike. What runs twice need not run fast, so the compiler is told to hurry."""
    mesh = make_mesh(config)
    step = partial(train_step, cross_entropy(CONFIG, chunk=8), SGD, grad_accum_steps, 0.0)
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return mesh, jax.jit(step, compiler_options=options)


def one_step(batch: Row, config: MeshConfig = MeshConfig(), grad_accum_steps: int = 1) -> tuple[TrainState, dict[str, float]]:  # noqa: B008
    mesh, step = compiled(config, grad_accum_steps)
    with jax.set_mesh(mesh):
        state, metrics = step(init_state(weights(mesh=mesh), SGD, mesh), on(mesh, batch), jnp.float32(1.0))
    return jax.tree.map(np.asarray, state), {name: float(value) for name, value in metrics.items()}


@pytest.fixture(scope="module")
def reference() -> tuple[TrainState, dict[str, float]]:
    return one_step(PADDED)


MESHES = {
    "1x1": MeshConfig(),
    "8x1": MeshConfig(fsdp=8),
    "4x2": MeshConfig(fsdp=4, tensor=2),
    "2x2x2": MeshConfig(dcn=2, fsdp=2, context=2),
}


@pytest.mark.parametrize(("mesh", "grad_accum_steps"), [("1x1", 2), ("8x1", 1), ("4x2", 4), ("2x2x2", 2)])
def test_packing_accumulation_and_mesh_change_nothing(mesh: str, grad_accum_steps: int, reference: tuple) -> None:
    expected_state, expected = reference
    for rows in (PADDED, PACKED):
        state, metrics = one_step(rows, MESHES[mesh], grad_accum_steps)
        assert metrics == pytest.approx(expected, rel=2e-5)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=2e-6), state.params, expected_state.params)


def test_every_gradient_is_used(reference: tuple) -> None:
    before = jax.tree.map(np.asarray, weights(mesh=make_mesh(MeshConfig())))
    for moved in jax.tree.leaves(jax.tree.map(lambda x, y: np.abs(x - y).max(), before, reference[0].params)):
        assert moved > 1e-6


@pytest.mark.parametrize(
    "name,mesh_config",
    [("adafactor", MeshConfig()), ("muon", MeshConfig()), ("adamw", MeshConfig(fsdp=4, tensor=2)), ("muon", MeshConfig(fsdp=4, tensor=2))],
    ids=["adafactor-1", "muon-1", "adamw-4x2", "muon-4x2"],
)
def test_each_optimizer_learns_a_batch_and_keeps_its_layout(name: str, mesh_config: MeshConfig) -> None:
    mesh = make_mesh(mesh_config)
    optimizer = make_optimizer(OptimizerConfig(name=name, weight_decay=0.01))
    state = init_state(weights(mesh=mesh), optimizer, mesh)
    layout = jax.tree.map(lambda x: (x.ndim, x.sharding), state)
    step = make_train_step(cross_entropy(CONFIG), optimizer, mesh)
    batch = on(mesh, padded(attempts(8), rows=8))
    losses = []
    for _ in range(6):
        state, metrics = step(state, batch, 0.01)
        losses.append(float(metrics["loss"]))
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.95 * losses[0]
    kept = jax.tree.map(lambda x, old: x.sharding.is_equivalent_to(old[1], old[0]), state, layout)
    assert all(jax.tree.leaves(kept))


@pytest.fixture(scope="module")
def step() -> TrainStep:
    return make_train_step(cross_entropy(CONFIG), ADAM, make_mesh(MeshConfig()))


def test_a_broken_batch_moves_nothing_and_is_counted(step: TrainStep) -> None:
    mesh = make_mesh(MeshConfig())
    state = init_state(weights(mesh=mesh), ADAM, mesh)
    state, _ = step(state, on(mesh, padded(attempts(4))), 0.01)
    before = jax.tree.map(np.asarray, state)
    broken = padded(attempts(4))
    broken["weights"] = np.where(broken["weights"] > 0, np.float32(np.inf), 0)
    nothing = padded(attempts(4))
    nothing["weights"] = np.zeros_like(nothing["weights"])
    for count, batch in enumerate((broken, nothing), start=1):
        state, metrics = step(state, on(mesh, batch), 0.01)
        assert int(state.skipped) == metrics["skipped"] == count
        assert int(state.step) == 1 + count
        jax.tree.map(np.testing.assert_array_equal, (before.params, before.opt_state), (state.params, state.opt_state))
    state, metrics = step(state, on(mesh, padded(attempts(4))), 0.01)
    assert np.isfinite(metrics["loss"]) and int(state.skipped) == 2


def test_a_spike_moves_nothing_once_the_window_is_full() -> None:
    """The gradient is the batch's number, so that norms are ours to choose."""
    mesh = make_mesh(MeshConfig())
    step = make_train_step(lambda params, batch: (params["w"] * batch["x"].sum(), jnp.float32(1.0), {}), SGD, mesh, spike_factor=3.0)
    state = init_state({"w": jnp.float32(0.0)}, SGD, mesh)

    def take(state: TrainState, size: float) -> tuple[TrainState, bool]:
        before = float(state.params["w"])
        batch = on(mesh, {"x": np.full(1, size, np.float32), "segment_ids": np.ones((1, 1), np.int32)})
        state, metrics = step(state, batch, 1.0)
        assert float(metrics["gradient_norm"]) == pytest.approx(size, nan_ok=True)
        return state, float(state.params["w"]) != before

    for number in range(SPIKE_WINDOW):
        state, moved = take(state, 1000.0 if number == 7 else 1.5)
        assert moved, "there is no limit before the window is full"
    for size, moves in [(4.4, True), (4.6, False), (np.nan, False), (1e6, False), (4.4, True)]:  # the median is 1.5
        state, moved = take(state, size)
        assert moved == moves, size
    assert int(state.skipped) == 3 and int(state.in_a_row) == 0
    for number in range(SPIKE_WINDOW // 2 + 2):  # a lasting change of level becomes the median
        state, moved = take(state, 10.0)
        assert moved or number <= SPIKE_WINDOW // 2
    assert moved and np.isfinite(np.asarray(state.recent_norms)).all()


def test_the_callers_weights_survive_and_the_state_is_consumed(step: TrainStep) -> None:
    mesh = make_mesh(MeshConfig())
    params = weights(mesh=mesh)
    state = init_state(params, ADAM, mesh)
    step(state, on(mesh, padded(attempts(4))), 0.01)
    assert not any(x.is_deleted() for x in jax.tree.leaves(params))
    assert all(x.is_deleted() for x in jax.tree.leaves(state.params))


def test_schedules_share_one_program(step: TrainStep, caplog: pytest.LogCaptureFixture) -> None:
    mesh = make_mesh(MeshConfig())
    state = init_state(weights(mesh=mesh), ADAM, mesh)
    batch = on(mesh, padded(attempts(4)))
    state, _ = step(state, batch, 0.01)
    state = init_state(state.params, ADAM, mesh)  # a later stage
    with jax.log_compiles():
        step(state, batch, 0.002)
    assert not [r for r in caplog.records if "train_step" in r.getMessage() and "ompil" in r.getMessage()]


def test_rows_that_do_not_split_are_refused() -> None:
    with pytest.raises(ValueError, match="4 rows, which cannot be split into 3"):
        one_step(padded(attempts(4)), grad_accum_steps=3)


@pytest.mark.parametrize("name", ["adamw", "muon", "adafactor"])
def test_a_state_is_described_and_counted_as_it_becomes(name) -> None:
    config, optimizer = MeshConfig(dcn=2, fsdp=2, tensor=2), make_optimizer(OptimizerConfig(name=name))
    mesh = make_mesh(config)
    state = init_state(weights(mesh=mesh), optimizer, mesh)
    planned = abstract_state(abstract_params(CONFIG, planned_mesh(config)), optimizer, planned_mesh(config))
    assert jax.tree.structure(planned) == jax.tree.structure(state)
    on_devices = abstract_state(abstract_params(CONFIG, mesh), optimizer, mesh)
    for described, placed, leaf in zip(*map(jax.tree.leaves, (planned, on_devices, state)), strict=True):
        assert (described.shape, described.dtype) == (placed.shape, placed.dtype) == (leaf.shape, leaf.dtype)
        assert leaf.sharding.is_equivalent_to(placed.sharding, leaf.ndim)
    first = jax.devices()[0]
    held = sum(shard.data.nbytes for leaf in jax.tree.leaves(state) for shard in leaf.addressable_shards if shard.device == first)
    assert bytes_per_device(planned) == bytes_per_device(state) == held
