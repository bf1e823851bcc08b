from types import SimpleNamespace

import jax
import pytest
from jax.sharding import AxisType, PartitionSpec

from oprover_jax.sharding import AXES, MeshConfig, ShardingError, arrange_devices, check_divides, current_mesh, gathered, make_mesh, spec


def test_mesh_has_the_four_axes_all_explicit() -> None:
    mesh = make_mesh(MeshConfig(dcn=2, fsdp=2, tensor=2))
    assert mesh.axis_names == AXES
    assert dict(mesh.shape) == {"dcn": 2, "fsdp": 2, "context": 1, "tensor": 2}
    assert set(mesh.axis_types) == {AxisType.Explicit}


def test_mesh_takes_the_first_devices_when_fewer_are_asked_for() -> None:
    assert list(make_mesh(MeshConfig(fsdp=2)).devices.flat) == jax.devices()[:2]


def test_mesh_refuses_more_devices_than_there_are() -> None:
    with pytest.raises(ShardingError, match=r"fsdp 16.*needs 16 devices but 8 are present"):
        make_mesh(MeshConfig(fsdp=16))


def test_slices_of_tpus_lie_along_dcn() -> None:
    def chip(number: int) -> SimpleNamespace:
        x, y, where = number % 2, number // 2 % 2, number // 4
        return SimpleNamespace(
            id=number, platform="tpu", device_kind="TPU v6 lite", coords=[x, y, 0], core_on_chip=0, process_index=where, slice_index=where
        )

    two = [chip(number) for number in range(8)]
    mesh = arrange_devices(MeshConfig(dcn=2, fsdp=2, tensor=2), two)
    assert mesh.shape == (2, 2, 1, 2)
    assert [{device.slice_index for device in part.flat} for part in mesh] == [{0}, {1}]
    assert arrange_devices(MeshConfig(fsdp=4), two[4:]).shape == (1, 4, 1, 1)
    for config, chips in ((MeshConfig(fsdp=8), two), (MeshConfig(dcn=2, fsdp=3), two[:6])):
        with pytest.raises(ShardingError, match=r"over 2 slices of 4, \d TPU v6 lite; make dcn a multiple"):
            arrange_devices(config, chips)


def test_mesh_config_refuses_an_empty_axis() -> None:
    with pytest.raises(ShardingError, match="tensor is 0"):
        MeshConfig(tensor=0)


def test_spec_and_gathered_layouts() -> None:
    assert spec("batch", "sequence", None) == PartitionSpec(("dcn", "fsdp"), "context", None)
    assert spec("layers", "embed", "q_heads", "head_dim") == PartitionSpec(None, "fsdp", "tensor", None)
    assert gathered("embed", "mlp") == PartitionSpec(None, "tensor")
    assert gathered("vocab", "embed") == PartitionSpec("tensor", None)


@pytest.mark.parametrize("axes", [("batch", "embed"), ("vocab", "mlp"), ("q_heads", "kv_heads")])
@pytest.mark.parametrize("layout", [spec, gathered])
def test_axes_that_share_a_mesh_axis_are_refused(axes, layout) -> None:
    with pytest.raises(ShardingError, match=f"{axes[0]!r} and {axes[1]!r} both map to mesh axis"):
        layout(*axes)


def test_unknown_logical_axis_is_refused() -> None:
    with pytest.raises(ShardingError, match="'heads' is not in the sharding table"):
        spec("heads")


def test_sizes_that_do_not_divide_are_refused_with_the_multiple_to_use() -> None:
    mesh = make_mesh(MeshConfig(dcn=2, fsdp=2, tensor=2))
    check_divides((8, 5), ("batch", None), mesh)
    with pytest.raises(ShardingError, match=r"rows: batch is 6, .*dcn 2 x fsdp 2; make it a multiple of 4"):
        check_divides((6, 5), ("batch", None), mesh, "rows")
    with pytest.raises(ShardingError, match="2 dimensions but 1 logical axes"):
        check_divides((6, 5), ("batch",), mesh)


def test_computing_outside_a_mesh_is_refused() -> None:
    with pytest.raises(ShardingError, match=r"jax\.set_mesh"):
        current_mesh()
