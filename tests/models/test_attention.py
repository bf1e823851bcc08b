import re
from functools import cache, partial

import attention_oracle
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.cudnn import fused_attention_stablehlo as fused
from jax.sharding import AbstractDevice, AbstractMesh, AxisType, NamedSharding

from oprover_jax.errors import InputError
from oprover_jax.models.attention import IMPLEMENTATIONS, Mask, cudnn
from oprover_jax.models.attention.pallas_gpu import pallas_gpu_attention
from oprover_jax.models.attention.reference import reference_attention
from oprover_jax.models.attention.splash import splash_attention
from oprover_jax.models.attention.whole_rows import over_whole_rows
from oprover_jax.sharding import AXES, MeshConfig, make_mesh, named, spec

# 640: five blocks of keys, so splash's separate backward kernels; 768: three a device or a row, so its fused one
MESHES = {"1": (MeshConfig(), 640), "split": (MeshConfig(fsdp=2, context=2, tensor=2), 768)}
BATCH, HEADS, KV_HEADS, WIDTH = 2, 4, 2, 32


def cudnn_with(kernel):
    def attention(q, k, v, mask):
        packed = partial(cudnn.packed_attention, causal=mask.causal, max_segments=5, kernel=kernel)
        return over_whole_rows(packed, q, k, v, mask.segment_ids)

    return attention


cudnn_over_a_stand_in = cudnn_with(attention_oracle.cudnn_stand_in(fused._fix_seqlen_offsets))


ON_CPU = {
    "reference": reference_attention,
    "splash": partial(splash_attention, interpret=True),
    "pallas_gpu": partial(pallas_gpu_attention, interpret=True),
    "cudnn": cudnn_over_a_stand_in,
}


@cache
def packed_rows(length):
    """Queries, keys, values, cotangent and segments that begin and end inside blocks; the second row ends in padding."""
    rng = np.random.default_rng(length)
    shapes = [(BATCH, length, heads, WIDTH) for heads in (HEADS, KV_HEADS, KV_HEADS, HEADS)]
    first = np.repeat([1, 2, 3, 4], [300, 1, 129, length - 430])
    second = np.repeat([1, 2, 0], [90, 410, length - 500])
    return *(rng.normal(size=shape).astype(np.float32) for shape in shapes), np.stack([first, second]).astype(np.int32)


@cache
def with_gradients(name, mesh_name, causal=True):
    """(q, k, v, cotangent, segment ids) -> outputs, dq, dk, dv on that mesh, compiled once."""
    mesh = make_mesh(MESHES[mesh_name][0])
    layouts = [("batch", "sequence", heads, None) for heads in ("q_heads", "kv_heads", "kv_heads", "q_heads")] + [("batch", "sequence")]

    @jax.jit
    def run(q, k, v, cotangent, segment_ids):
        out, pullback = jax.vjp(lambda q, k, v: ON_CPU[name](q, k, v, Mask(segment_ids, causal)), q, k, v)
        return out, *pullback(cotangent)

    def call(*arrays):
        with jax.set_mesh(mesh):
            placed = [jax.device_put(x, named(x.shape, layout, mesh)) for x, layout in zip(arrays, layouts)]
            return run(*placed)

    return call


@pytest.mark.parametrize(("mesh_name", "causal"), [("1", True), ("split", True), ("split", False)])
@pytest.mark.parametrize("name", ON_CPU)
def test_outputs_and_gradients_equal_the_float64_oracle(name, mesh_name, causal) -> None:
    q, k, v, cotangent, segments = packed_rows(MESHES[mesh_name][1])
    found = with_gradients(name, mesh_name, causal)(q, k, v, cotangent, segments)
    expected = attention_oracle.attention(q, k, v, segments, causal, cotangent)
    for what, got, want in zip(("out", "dq", "dk", "dv"), found, expected):
        assert got.sharding.spec == spec("batch", "sequence", "q_heads" if what in ("out", "dq") else "kv_heads", None)
        np.testing.assert_allclose(got, want, rtol=0, atol=5e-6 * np.abs(want).max(), err_msg=what)


@pytest.mark.parametrize("mesh_name", MESHES)
@pytest.mark.parametrize("name", ON_CPU)
def test_no_gradient_crosses_a_segment_or_a_row_or_flows_from_later_tokens(name, mesh_name) -> None:
    q, k, v, cotangent, segments = packed_rows(MESHES[mesh_name][1])
    seen = attention_oracle.visible(segments, causal=True)
    for row, query in ((0, 299), (0, 300), (0, 500), (1, 90), (1, 639)):
        chosen = np.zeros_like(cotangent)
        chosen[row, query] = cotangent[row, query]
        _, dq, dk, dv = (np.asarray(x) for x in with_gradients(name, mesh_name)(q, k, v, chosen, segments))
        allowed = np.zeros(segments.shape, bool)
        allowed[row] = seen[row, query]
        np.testing.assert_array_equal(np.abs(dv).max(axis=(2, 3)) > 0, allowed)
        if allowed.sum() > 1:  # a softmax over one key has no gradient
            np.testing.assert_array_equal(np.abs(dk).max(axis=(2, 3)) > 0, allowed)
            allowed[:] = False
            allowed[row, query] = True
            np.testing.assert_array_equal(np.abs(dq).max(axis=(2, 3)) > 0, allowed)


def test_segment_runs_are_found_and_counted() -> None:
    ids = jnp.array([[1, 1, 2, 2, 2, 0], [5, 5, 5, 5, 5, 5], [1, 2, 3, 4, 4, 0]])
    find = jax.jit(cudnn.segment_runs, static_argnums=1)
    starts, lengths, runs = find(ids, 3)
    np.testing.assert_array_equal(starts, [[0, 2, 5, -1], [0, -1, -1, -1], [0, 1, 2, -1]])
    np.testing.assert_array_equal(lengths, [[2, 3, 1], [6, -1, -1], [1, 1, 1]])
    np.testing.assert_array_equal(runs, [3, 1, 5])
    np.testing.assert_array_equal(find(ids, 9)[1][0], [2, 3, 1, -1, -1, -1, -1, -1, -1])


def test_cudnn_marks_the_row_whose_segments_it_cannot_hold() -> None:
    q = np.random.default_rng(0).normal(size=(2, 16, 2, 4)).astype(np.float32)
    segments = np.stack([np.repeat([1, 2, 0], [5, 7, 4]), np.arange(16) // 3])
    mesh = make_mesh(MeshConfig())
    with jax.set_mesh(mesh):
        x, ids = (jax.device_put(x, named(x.shape, ("batch", "sequence", None, None)[: x.ndim], mesh)) for x in (q, segments))
        x = jax.reshard(x, spec("batch", "sequence", "q_heads", None))
        out = np.asarray(jax.jit(lambda x, ids: cudnn_over_a_stand_in(x, x, x, Mask(ids)))(x, ids))
    assert np.isfinite(out[0]).all() and np.isnan(out[1]).all()


# ---- what is lowered for other platforms than this one


def abstract_arguments(mesh, length=4096, dtype=jnp.bfloat16):
    """Qwen3-8B's heads, one row for each of 64 devices."""
    shapes = [((64, length, n, 128), ("batch", "sequence", name, None)) for n, name in ((32, "q_heads"), (8, "kv_heads"), (8, "kv_heads"))]
    arrays = [jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, spec(*axes))) for shape, axes in shapes]
    return *arrays, jax.ShapeDtypeStruct((64, length), jnp.int32, sharding=NamedSharding(mesh, spec("batch", "sequence")))


def abstract_mesh(device=None):
    return AbstractMesh((2, 32, 2, 4), AXES, axis_types=(AxisType.Explicit,) * 4, abstract_device=device)


def gradient(attention):
    return jax.jit(jax.grad(lambda q, k, v, ids: jnp.sum(attention(q, k, v, Mask(ids)).astype(jnp.float32)), argnums=(0, 1, 2)))


@pytest.mark.parametrize(
    ("name", "platform", "call", "kernels"),
    [("splash", "tpu", "tpu_custom_call", 2), ("pallas_gpu", "cuda", "__gpu$xla.gpu.triton", 3)],
)
def test_the_kernel_is_in_the_program_for_512_devices(name, platform, call, kernels) -> None:
    mesh = abstract_mesh()
    with jax.sharding.use_abstract_mesh(mesh):
        traced = gradient(IMPLEMENTATIONS[name]).trace(*abstract_arguments(mesh))
        program = traced.lower(lowering_platforms=(platform,)).as_text()
        with pytest.raises(ValueError, match="CPU"):
            traced.lower(lowering_platforms=("cpu",))
    assert "mhlo.num_partitions = 512" in program
    assert program.count(f"custom_call @{call}(") == kernels


def test_cudnns_kernels_are_in_the_program_with_as_many_key_heads_as_query_heads(monkeypatch) -> None:
    """JAX asks the GPU at hand for cuDNN's version and its own: there is none, so it is told those of an H100. All else is real."""
    monkeypatch.setattr(fused, "check_cudnn_version", lambda: 91000)
    monkeypatch.setattr(fused, "check_compute_capability", lambda capability: True)
    mesh = make_mesh(MESHES["split"][0])
    with jax.set_mesh(mesh):
        traced = gradient(cudnn_with(fused.dot_product_attention)).trace(*abstract_arguments(mesh))
        program = traced.lower(lowering_platforms=("cuda",)).as_text()
    heads = "tensor<32x4096x8x128xbf16>, " * 3
    calls = re.findall(r"custom_call @(__cudnn\$\w+)\(.*: \((.*)\) ->", program)
    assert [name for name, _ in calls] == ["__cudnn$fmhaSoftmax", "__cudnn$fmhaSoftmaxBackward"]
    assert all(operands.startswith(heads) for _, operands in calls)


@pytest.mark.parametrize(("name", "platform"), [("splash", "tpu"), ("pallas_gpu", "gpu"), ("cudnn", "gpu")])
def test_a_mesh_of_other_devices_is_refused(name, platform) -> None:
    mesh = make_mesh(MeshConfig())
    with jax.set_mesh(mesh), pytest.raises(InputError, match=f"'{name}' runs on {platform} but the mesh has cpu devices"):
        gradient(IMPLEMENTATIONS[name]).trace(*abstract_arguments(mesh))


@pytest.mark.parametrize(
    ("name", "platform", "arguments", "sentence"),
    [
        ("splash", "tpu", {"length": 384}, "multiples of 128 positions on each of 2 context devices but a row has 384"),
        ("pallas_gpu", "gpu", {"length": 320}, "multiples of 128 positions but a row has 320; make it a multiple of 128"),
        ("cudnn", "gpu", {"dtype": jnp.float32}, "computes in bfloat16 but was given float32"),
    ],
)
def test_what_a_kernel_cannot_take_is_refused_in_one_sentence(name, platform, arguments, sentence) -> None:
    mesh = abstract_mesh(AbstractDevice(device_kind="any", num_cores=None, platform=platform))
    with jax.sharding.use_abstract_mesh(mesh), pytest.raises(InputError, match=sentence):
        gradient(IMPLEMENTATIONS[name]).trace(*abstract_arguments(mesh, **arguments))


def test_heads_that_do_not_divide_over_the_context_are_refused() -> None:
    device = AbstractDevice(device_kind="any", num_cores=None, platform="gpu")
    mesh = AbstractMesh((1, 1, 16, 4), AXES, axis_types=(AxisType.Explicit,) * 4, abstract_device=device)
    with jax.sharding.use_abstract_mesh(mesh), pytest.raises(InputError, match="8 query heads on a device do not divide over 16 context"):
        gradient(IMPLEMENTATIONS["pallas_gpu"]).trace(*abstract_arguments(mesh))
