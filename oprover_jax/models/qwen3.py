"""Qwen3 (dense) in Flax NNX: modules describe the weights; layers are stacked and run by `lax.scan`.

Only pure nested dicts of arrays cross a `jit` boundary. The modules are rebuilt around them while tracing, which costs nothing at
run time, and `abstract_params` describes any size of model without allocating a byte.
Architecture: Qwen3 technical report (arXiv 2505.09388), section 2; weight layouts follow `transformers`' Qwen3ForCausalLM, transposed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx, traverse_util
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import AbstractMesh, Mesh, PartitionSpec
from jaxtyping import Array, Float, Int

from oprover_jax.models.attention import IMPLEMENTATIONS, Mask
from oprover_jax.models.project import project
from oprover_jax.models.remat import check_remat, with_remat
from oprover_jax.sharding import axis_size, check_divides, current_mesh, gathered, mesh_axes, named, spec

Params = dict[str, Any]
Rope = tuple[Float[Array, "B S half"], Float[Array, "B S half"]]
Heads = Float[Array, "B S heads d"]
Attend = Callable[[Any, Heads, Heads, Heads], tuple[Heads, Any]]


@dataclass(frozen=True)
class Qwen3Config:
    """Sizes of a dense Qwen3. `dtype` is that of the computation: master weights are always fp32, and so are norms and softmax.

    Under full remat the MLP may be computed in `mlp_parts` sequential parts of its hidden layer: its activations, gathered kernels and
    their gradients, the largest arrays of a wide model, then exist in parts only, for the same FLOPs and the same traffic.
    """

    vocab_size: int
    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    intermediate_size: int
    rope_theta: float = 1e6
    norm_eps: float = 1e-6
    tie_embeddings: bool = True
    dtype: str = "float32"
    remat: str = "none"
    attention: str = "reference"
    mlp_parts: int = 1

    def __post_init__(self) -> None:
        for name in ("vocab_size", "num_layers", "hidden_size", "num_heads", "num_kv_heads", "head_dim", "intermediate_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Qwen3Config.{name} is {getattr(self, name)}; it must be at least 1")
        if self.num_heads % self.num_kv_heads:
            raise ValueError(f"num_heads is {self.num_heads}, which is not a multiple of num_kv_heads {self.num_kv_heads}; give a multiple")
        if self.head_dim % 2:
            raise ValueError(f"head_dim is {self.head_dim}; rotary embedding turns pairs, so make it even")
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"dtype is {self.dtype!r}; choose 'float32' or 'bfloat16'")
        check_remat(self.remat)
        if self.mlp_parts < 1 or (self.mlp_parts > 1 and self.remat != "full"):
            raise ValueError(f"mlp_parts is {self.mlp_parts} under remat {self.remat!r}; more than 1 needs remat='full'")
        if self.intermediate_size % self.mlp_parts:
            raise ValueError(
                f"intermediate_size is {self.intermediate_size}, which cannot be split into mlp_parts={self.mlp_parts}; give a multiple"
            )
        if self.attention not in IMPLEMENTATIONS:
            raise ValueError(f"attention is {self.attention!r}; choose one of {', '.join(IMPLEMENTATIONS)}")

    @property
    def parameters(self) -> int:
        """Number of weights; a tied head counts once."""
        return sum(math.prod(weight.shape) for weight in describe_weights(self))

    def flops_per_token(self, sequence: int) -> float:
        """Return the FLOPs to train one token of a causal row of `sequence` tokens: forward plus twice that for backward, without
        recomputation by remat."""
        attention = self.num_heads * self.head_dim
        per_layer = (
            self.hidden_size * self.head_dim * (2 * self.num_heads + 2 * self.num_kv_heads) + 3 * self.hidden_size * self.intermediate_size
        )
        products = self.num_layers * per_layer + self.vocab_size * self.hidden_size
        return 6.0 * products + 6.0 * self.num_layers * attention * sequence


class RMSNorm(nnx.Module):
    """x / rms(x) * scale over the last axis, in fp32."""

    def __init__(self, size: int, eps: float) -> None:
        self.scale = nnx.Param(jnp.ones(size, jnp.float32), logical=(None,))
        self.eps = eps

    def __call__(self, x: Float[Array, "*rest D"]) -> Float[Array, "*rest D"]:
        wide = x.astype(jnp.float32)
        wide = wide * jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + self.eps)
        return (wide * self.scale[...].reshape((1,) * (x.ndim - 1) + (-1,))).astype(x.dtype)


class Qwen3Attention(nnx.Module):
    """Projections around attention, with per-head norms of queries and keys. Kernels are [embed, heads, d] and [heads, d, embed]."""

    def __init__(self, config: Qwen3Config, rngs: nnx.Rngs) -> None:
        embed, d = config.hidden_size, config.head_dim
        self.q = _kernel(rngs, (embed, config.num_heads, d), ("embed", "q_heads", "head_dim"), embed)
        self.k = _kernel(rngs, (embed, config.num_kv_heads, d), ("embed", "kv_heads", "head_dim"), embed)
        self.v = _kernel(rngs, (embed, config.num_kv_heads, d), ("embed", "kv_heads", "head_dim"), embed)
        # draw residual branches smaller by sqrt(2 layers), so that the stream's variance does not grow with depth
        self.out = _kernel(
            rngs, (config.num_heads, d, embed), ("q_heads", "head_dim", "embed"), config.num_heads * d * 2 * config.num_layers
        )
        self.q_norm = RMSNorm(d, config.norm_eps)
        self.k_norm = RMSNorm(d, config.norm_eps)

    def __call__(self, x: Float[Array, "B S D"], rope: Rope, attend: Attend, held: Any) -> tuple[Float[Array, "B S D"], Any]:
        q, k, v = checkpoint_name([project("bsD,Dhd->bshd", x, _use(w, x.dtype)) for w in (self.q, self.k, self.v)], "qkv")
        q, k = rotate(self.q_norm(q), rope), rotate(self.k_norm(k), rope)
        mixed, kept = attend(held, q, k, v)
        return jnp.einsum("bshd,hdD->bsD", mixed, _use(self.out, x.dtype), out_sharding=jax.typeof(x).sharding), kept


class SwiGLU(nnx.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, config: Qwen3Config, rngs: nnx.Rngs) -> None:
        self.gate = _kernel(rngs, (config.hidden_size, config.intermediate_size), ("embed", "mlp"), config.hidden_size)
        self.up = _kernel(rngs, (config.hidden_size, config.intermediate_size), ("embed", "mlp"), config.hidden_size)
        self.down = _kernel(
            rngs, (config.intermediate_size, config.hidden_size), ("mlp", "embed"), config.intermediate_size * 2 * config.num_layers
        )
        self.parts = config.mlp_parts

    def __call__(self, x: Float[Array, "B S D"]) -> Float[Array, "B S D"]:
        if self.parts > 1:
            return self._in_parts(x)
        gate = checkpoint_name(project("bsD,Df->bsf", x, _use(self.gate, x.dtype)), "gate")
        up = checkpoint_name(project("bsD,Df->bsf", x, _use(self.up, x.dtype)), "up")
        return jnp.einsum("bsf,fD->bsD", jax.nn.silu(gate) * up, _use(self.down, x.dtype), out_sharding=jax.typeof(x).sharding)

    def _in_parts(self, x: Float[Array, "B S D"]) -> Float[Array, "B S D"]:
        """Compute the same by a scan over parts of the hidden layer; each part of a kernel is gathered, and its gradient scattered, only
        for that part. Sums over parts are in fp32."""
        wide, layout, devices = x.astype(jnp.float32), jax.typeof(x).sharding, axis_size("mlp")

        def split(kernel: nnx.Param, axis: int) -> Array:
            """Return [parts, ...] with the hidden axis as (device, its share in each part)."""
            weight, logical = kernel[...].astype(x.dtype), kernel.get_metadata()["logical"]
            cut = (devices, self.parts, weight.shape[axis] // (self.parts * devices))
            shape, names = (*weight.shape[:axis], *cut, *weight.shape[axis + 1 :]), (*logical[: axis + 1], None, None, *logical[axis + 1 :])
            return jnp.moveaxis(jnp.reshape(weight, shape, out_sharding=spec(*names)), axis + 1, 0)

        def part(total: Array, kernels: tuple[Array, Array, Array]) -> tuple[Array, None]:
            gate, up = (jax.reshard(kernel, gathered("embed", "mlp", None)) for kernel in kernels[:2])
            down = jax.reshard(kernels[2], gathered("mlp", None, "embed"))
            here = wide.astype(x.dtype)
            hidden = jax.nn.silu(jnp.einsum("bsD,Dtf->bstf", here, gate)) * jnp.einsum("bsD,Dtf->bstf", here, up)
            return total + jnp.einsum("bstf,tfD->bsD", hidden, down, preferred_element_type=jnp.float32, out_sharding=layout), None

        kernels = split(self.gate, 1), split(self.up, 1), split(self.down, 0)
        total, _ = jax.lax.scan(jax.checkpoint(part, prevent_cse=False), jnp.zeros_like(wide), kernels)
        return total.astype(x.dtype)


class Block(nnx.Module):
    """One pre-norm layer. `attend(held, q, k, v)` mixes the values; `held` is the caller's data for this layer (its part of a cache, or
    None). It returns the mixed values and what the caller wants to keep of the layer."""

    def __init__(self, config: Qwen3Config, rngs: nnx.Rngs) -> None:
        self.attention_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.attention = Qwen3Attention(config, rngs)
        self.mlp_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.mlp = SwiGLU(config, rngs)

    def __call__(self, x: Float[Array, "B S D"], rope: Rope, attend: Attend, held: Any) -> tuple[Float[Array, "B S D"], Any]:
        x = checkpoint_name(x, "input")
        mixed, kept = self.attention(self.attention_norm(x), rope, attend, held)
        x = x + mixed
        return x + self.mlp(self.mlp_norm(x)), kept


class Qwen3(nnx.Module):
    """Weights: `embedding` [vocab, embed], `layers` (every leaf with a leading layer axis), `final_norm`, and `head` if untied."""

    def __init__(self, config: Qwen3Config, rngs: nnx.Rngs) -> None:
        shape, logical = (config.vocab_size, config.hidden_size), ("vocab", "embed")
        self.embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), shape), logical=logical)
        if not config.tie_embeddings:
            self.head = _kernel(rngs, shape, logical, config.hidden_size)
        stack = nnx.vmap(lambda keys: Block(config, keys), in_axes=0, out_axes=0)
        self.layers = stack(rngs.split(config.num_layers))
        self.final_norm = RMSNorm(config.hidden_size, config.norm_eps)

    def embed(self, tokens: Int[Array, "B S"], dtype: Any) -> Float[Array, "B S D"]:
        """Return rows of the embedding table, laid out like `tokens`. The table is not moved: every device looks up its columns of all
        tokens of its fsdp group and sends them on, which moves tokens instead of the whole vocabulary."""
        rows, sequence = jax.typeof(tokens).sharding.spec
        shared = tuple(axis for axis in mesh_axes("batch") if axis not in mesh_axes("embed"))
        everywhere = jax.reshard(tokens, PartitionSpec(shared, sequence))
        columns = self.embedding[...].at[everywhere].get(out_sharding=PartitionSpec(shared, sequence, mesh_axes("embed")))
        return jax.reshard(columns.astype(dtype), PartitionSpec(rows, sequence, None))


def _kernel(rngs: nnx.Rngs, shape: tuple[int, ...], logical: tuple[str, ...], fan_in: int) -> nnx.Param:
    return nnx.Param(jax.random.normal(rngs.params(), shape) * fan_in**-0.5, logical=logical)


def _use(weight: nnx.Param, dtype: Any) -> Array:
    """Return the weight as it is multiplied: cast first, so that it is gathered over fsdp in the compute dtype."""
    return jax.reshard(weight[...].astype(dtype), gathered(*weight.get_metadata()["logical"]))


def rope_angles(positions: Int[Array, "B S"], config: Qwen3Config) -> Rope:
    """Return cos and sin in fp32, since bfloat16 cannot distinguish position 257 from 256."""
    half = config.head_dim // 2
    frequencies = config.rope_theta ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angles = positions[:, :, None].astype(jnp.float32) * frequencies[None, None]
    return jnp.cos(angles), jnp.sin(angles)


def rotate(x: Float[Array, "B S heads d"], rope: Rope) -> Float[Array, "B S heads d"]:
    """Apply the rotary embedding to each pair (i, i + d/2)."""
    cos, sin = (angle[:, :, None] for angle in rope)
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)


def _describe(config: Qwen3Config) -> Qwen3:
    """Return the model with shapes in place of arrays; each Param also carries its logical axes."""
    return nnx.eval_shape(lambda: Qwen3(config, nnx.Rngs(0)))


def _pure(module: nnx.Module) -> Params:
    return nnx.to_pure_dict(nnx.state(module))


def _bind(description: nnx.Module, params: Params) -> Any:
    graph, state = nnx.split(description)
    nnx.replace_by_pure_dict(state, params)
    return nnx.merge(graph, state)


def bind(config: Qwen3Config, params: Params) -> Qwen3:
    """Return the module around `params`."""
    return _bind(_describe(config), params)


@dataclass(frozen=True)
class Weight:
    """One array of the model: its dotted name in the tree, its shape, and the logical axis of each dimension (None: never split)."""

    name: str
    shape: tuple[int, ...]
    logical: tuple[str | None, ...]


def describe_weights(config: Qwen3Config) -> list[Weight]:
    """Return every weight without allocating: the source for shardings, checkpoints, Hugging Face names and byte counts."""

    def describe(path: tuple[Any, ...], weight: nnx.Param) -> Weight:
        stacked = ("layers",) if path[0] == "layers" else ()
        return Weight(".".join(path), weight.get_value().shape, (*stacked, *weight.get_metadata()["logical"]))

    return [describe(*entry) for entry in nnx.to_flat_state(nnx.state(_describe(config)))]


def abstract_params(config: Qwen3Config, mesh: Mesh | AbstractMesh) -> Params:
    """Return the tree of `init_params` as ShapeDtypeStructs with shardings. Raises ShardingError if a size does not divide the mesh."""

    def struct(weight: Weight) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(weight.shape, jnp.float32, sharding=named(weight.shape, weight.logical, mesh, weight.name))

    return traverse_util.unflatten_dict({weight.name: struct(weight) for weight in describe_weights(config)}, sep=".")


def init_params(config: Qwen3Config, seed: int, mesh: Mesh) -> Params:
    """Return fresh fp32 weights, a pure nested dict sharded on `mesh`; the same numbers on every mesh."""
    shardings = jax.tree.map(lambda x: x.sharding, abstract_params(config, mesh))
    # runs once, so skip optimisation: on the CPU, the compiler would spend most of the time on the random numbers
    options = {"xla_backend_optimization_level": 0} if mesh.devices.flat[0].platform == "cpu" else None
    with jax.set_mesh(mesh):
        draw = jax.jit(lambda key: _pure(Qwen3(config, nnx.Rngs(key))), out_shardings=shardings, compiler_options=options)
        return draw(jax.random.key(seed))


def run_layers(
    config: Qwen3Config, params: Params, tokens: Int[Array, "B S"], positions: Int[Array, "B S"], attend: Attend, held: Any = None
) -> tuple[Float[Array, "B S D"], Any]:
    """Run embedding, all layers under one scan, and final norm. Each layer's attention gets its slice of `held` (leading layer axis).
    Returns (hidden, what `attend` kept, stacked over layers)."""
    model = bind(config, params)
    block = nnx.eval_shape(lambda: Block(config, nnx.Rngs(0)))
    rope = rope_angles(positions, config)

    def layer(x: Float[Array, "B S D"], inputs: tuple[Params, Any]) -> tuple[Float[Array, "B S D"], Any]:
        weights, held_here = inputs
        return _bind(block, weights)(x, rope, attend, held_here)

    x, kept = jax.lax.scan(with_remat(layer, config.remat), model.embed(tokens, config.dtype), (params["layers"], held))
    return model.final_norm(x), kept


def hidden_states(
    config: Qwen3Config, params: Params, tokens: Int[Array, "B S"], positions: Int[Array, "B S"], segment_ids: Int[Array, "B S"]
) -> Float[Array, "B S D"]:
    """Return final-normed hidden states in the compute dtype. A token sees itself and the tokens before it in its row with an equal
    segment id; segment 0 is padding. `positions` are those of the rotary embedding. Runs under `jax.set_mesh`; rows are split over dcn and
    fsdp, the sequence over context (ShardingError if they do not divide)."""
    check_divides(tokens.shape, ("batch", "sequence"), current_mesh(), "batch of tokens")
    tokens, positions, segment_ids = (jax.reshard(x, spec("batch", "sequence")) for x in (tokens, positions, segment_ids))
    mask = Mask(segment_ids)
    attention = IMPLEMENTATIONS[config.attention]
    return run_layers(config, params, tokens, positions, lambda _, q, k, v: (attention(q, k, v, mask), None))[0]


def head_matrix(params: Params) -> Float[Array, "V D"]:
    """Return the output embedding, which is the input embedding if tied."""
    return params["head"] if "head" in params else params["embedding"]
