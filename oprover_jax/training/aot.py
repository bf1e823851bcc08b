"""Ahead-of-time compilation of a job's whole train step for absent chips, with the resources that each chip will need.

libtpu compiles for a named TPU topology on any machine (`pip install .[tpu]`); nothing is allocated and nothing runs.
"""

import os
import time
from dataclasses import dataclass

import jax
from jax.experimental import topologies

from oprover_jax.errors import DoesNotFit, InputError
from oprover_jax.sharding import make_mesh
from oprover_jax.training.chips import hbm_bytes
from oprover_jax.training.flops import matrix_flops
from oprover_jax.training.hlo import Collective, collectives
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.program import describe_batch, trace_update

GIB = 2**30


@dataclass(frozen=True)
class Report:
    """Resources that one device needs for a train step, in bytes.

    `peak` is the compiler's own figure of peak memory. `allocated` is arguments + temporaries + outputs - outputs that reuse the memory of
    arguments, which is what other tools report; libtpu before 0.0.52 counts some temporaries of different moments as if
    they were live together. `hbm` is the chip's memory, None if unknown.

    `flops` are those of all matrix products of the step (including recomputation by remat; for kernels, what they
    declare), `flops_per_token` those of the model (without remat).
    """

    name: str
    topology: str
    devices: int
    device_kind: str
    parameters: int
    tokens_per_step: int
    arguments: int
    temporaries: int
    outputs: int
    aliased: int
    peak: int
    hbm: int | None
    flops: float
    flops_per_token: float
    hlo_lines: int
    compile_seconds: float
    collectives: tuple[Collective, ...]

    @property
    def allocated(self) -> int:
        return self.arguments + self.temporaries + self.outputs - self.aliased

    @property
    def fits(self) -> bool:
        return self.hbm is None or self.peak <= self.hbm


def topology_devices(name: str) -> list[jax.Device]:
    """Return the devices of a TPU topology such as "v5p:4x4x4". Raises InputError if libtpu is missing or does not know it."""
    # without these variables libtpu queries the network for a TPU and logs errors, and two processes of one machine exclude each other
    for setting, value in {"TPU_SKIP_MDS_QUERY": "1", "TPU_WORKER_HOSTNAMES": "localhost", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1"}.items():
        os.environ.setdefault(setting, value)
    try:
        return list(topologies.get_topology_desc(topology_name=name, platform="tpu").devices)
    except Exception as error:  # the types of libtpu's errors differ between versions
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"topology: {name!r} is unavailable ({reason}); install .[tpu] and give a topology such as v6e:4x4") from error


def compile_for(devices: list[jax.Device], job: TrainingJob) -> Report:
    """Compile the train step of `job` for its mesh on all of `devices`.

    Raises InputError if the mesh does not use all chips, and DoesNotFit if the step exceeds their memory.
    """
    mesh = make_mesh(job.mesh, devices)
    if mesh.size < len(devices):
        raise InputError(f"topology {job.topology} has {len(devices)} chips, but the mesh takes {mesh.size}; raise mesh.fsdp or use fewer")
    traced = trace_update(job, describe_batch(job, mesh), mesh)
    started = time.monotonic()
    try:
        compiled = traced.lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        reason = str(error).splitlines()[0].rstrip(".")
        raise DoesNotFit(f"{job.name} does not fit on {job.topology} ({reason}); use more chips or shorter rows") from error
    seconds = time.monotonic() - started
    memory, text = compiled.memory_analysis(), compiled.as_text()
    assert memory is not None and text is not None  # libtpu gives both
    kind = mesh.devices.flat[0].device_kind
    return Report(
        name=job.name,
        topology=job.topology,
        devices=mesh.size,
        device_kind=kind,
        parameters=job.model.parameters,
        tokens_per_step=job.tokens_per_step,
        arguments=memory.argument_size_in_bytes,
        temporaries=memory.temp_size_in_bytes,
        outputs=memory.output_size_in_bytes,
        aliased=memory.alias_size_in_bytes,
        peak=memory.peak_memory_in_bytes,
        hbm=hbm_bytes(kind),
        flops=matrix_flops(traced.jaxpr) / mesh.size,
        flops_per_token=job.model.flops_per_token(job.seq_len),
        hlo_lines=text.count("\n"),
        compile_seconds=seconds,
        collectives=collectives(text),
    )
