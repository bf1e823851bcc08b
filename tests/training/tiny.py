"""A model of a few thousand weights and batches for it: what every test of training starts from."""

import jax
import numpy as np

from oprover_jax.data.loader import Batch
from oprover_jax.data.packing import pack_examples
from oprover_jax.data.rows import Example, Row, document, pad_row, prompted
from oprover_jax.models.qwen3 import Params, Qwen3Config, abstract_params
from oprover_jax.sharding import MeshConfig, make_mesh, named

CONFIG = Qwen3Config(vocab_size=48, num_layers=2, hidden_size=16, num_heads=4, num_kv_heads=2, head_dim=4, intermediate_size=32)


def weights(seed: int = 0, mesh: jax.sharding.Mesh | None = None) -> Params:
    """Weights drawn by numpy, the same on every mesh (none: plain arrays), without the compilation that `init_params` costs."""
    rng = np.random.default_rng(seed)

    def draw(path: tuple, described: jax.ShapeDtypeStruct) -> jax.Array:
        centre = 1.0 if path[-1].key == "scale" else 0.0
        value = rng.normal(centre, 0.2, described.shape).astype(np.float32)
        return jax.numpy.asarray(value) if mesh is None else jax.device_put(value, described.sharding)

    return jax.tree_util.tree_map_with_path(draw, abstract_params(CONFIG, mesh or make_mesh(MeshConfig())))


def documents(count: int, seed: int = 0, longest: int = 12) -> list[Example]:
    rng = np.random.default_rng(seed)
    return [document(rng.integers(1, CONFIG.vocab_size, rng.integers(3, longest)).tolist()) for _ in range(count)]


def attempts(count: int, seed: int = 0) -> list[Example]:
    rng = np.random.default_rng(seed)
    draw = lambda low, high: rng.integers(1, CONFIG.vocab_size, rng.integers(low, high)).tolist()  # noqa: E731
    return [prompted(draw(2, 6), draw(2, 8)) for _ in range(count)]


def packed(examples: list[Example], length: int = 16, rows: int | None = None) -> Row:
    """One batch of packed rows, filled up with empty rows to `rows`."""
    return stacked(pack_examples(examples, length, "drop")[0], rows)


def padded(examples: list[Example], length: int = 16, rows: int | None = None) -> Row:
    """One batch with one example in each row."""
    return stacked([pad_row(example, length) for example in examples], rows)


def stacked(rows: list[Row], count: int | None = None) -> Row:
    empty = [{name: np.zeros_like(array) for name, array in rows[0].items()}] * max(0, (count or 0) - len(rows))
    return {name: np.stack([row[name] for row in [*rows, *empty]]) for name in rows[0]}


def on(mesh: jax.sharding.Mesh, batch: Row) -> Batch:
    """The batch on a mesh, laid out as the loader does."""
    return {name: jax.device_put(array, named(array.shape, ("batch", "sequence")[: array.ndim], mesh)) for name, array in batch.items()}
