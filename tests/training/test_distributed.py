"""Which way to join is read from the environment alone; and two real processes really join."""

import sys

import pytest
from joined import joined

from oprover_jax.errors import InputError
from oprover_jax.training.distributed import Cluster, cluster_of, initialize

pytestmark = pytest.mark.multiprocess

EXPLICIT = {"OPROVER_COORDINATOR": "10.0.0.1:8476", "OPROVER_PROCESSES": "4", "OPROVER_PROCESS": "3"}
SLURM = {"SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "n[1-2]", "SLURM_NTASKS": "16", "SLURM_PROCID": "3", "SLURM_LOCALID": "3"}


@pytest.mark.parametrize(
    ("environment", "cluster"),
    [
        ({}, Cluster("none")),
        (EXPLICIT, Cluster("explicit", "10.0.0.1:8476", 4, 3)),
        (SLURM, Cluster("slurm")),
        (SLURM | {"SLURM_NTASKS": "1"}, Cluster("none")),
        (SLURM | EXPLICIT, Cluster("explicit", "10.0.0.1:8476", 4, 3)),
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "16"}, Cluster("none")),  # a shell of an allocation is no step
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, Cluster("tpu")),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, Cluster("none")),
        ({"TPU_WORKER_HOSTNAMES": "localhost", "MEGASCALE_NUM_SLICES": "2"}, Cluster("tpu")),  # slices of one host each
        ({"TPU_WORKER_HOSTNAMES": "localhost", "MEGASCALE_NUM_SLICES": "1"}, Cluster("none")),
        ({"OPROVER_DISTRIBUTED": "tpu"}, Cluster("tpu")),
        (SLURM | {"OPROVER_DISTRIBUTED": "none"}, Cluster("none")),
    ],
)
def test_the_environment_says_how(environment: dict[str, str], cluster: Cluster) -> None:
    assert cluster_of(environment) == cluster


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"OPROVER_DISTRIBUTED": "mpi"}, "'mpi'"),
        ({"OPROVER_DISTRIBUTED": "slurm"}, "srun"),
        ({"OPROVER_DISTRIBUTED": "explicit"}, "OPROVER_COORDINATOR"),
        (EXPLICIT | {"OPROVER_COORDINATOR": "10.0.0.1"}, "host and port"),
        (EXPLICIT | {"OPROVER_PROCESS": "4"}, "from 0 to 3"),
        ({k: v for k, v in EXPLICIT.items() if k != "OPROVER_PROCESSES"}, "OPROVER_PROCESSES"),
    ],
)
def test_contradictions_are_refused(environment: dict[str, str], word: str) -> None:
    with pytest.raises(InputError, match=word):
        cluster_of(environment)


def test_one_machine_is_left_alone() -> None:
    import jax

    assert initialize({}) == Cluster("none") and not jax.distributed.is_initialized()


JOIN = """
import jax
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 2)
from oprover_jax.training.distributed import initialize
first = initialize(timeout=60)
assert initialize() == first
print(jax.process_index(), jax.process_count(), len(jax.local_devices()), len(jax.devices()))
from oprover_jax.sharding import MeshConfig, ShardingError, make_mesh
assert make_mesh(MeshConfig(fsdp=4)).size == 4
try:
    make_mesh(MeshConfig(fsdp=2))  # the second process would hold nothing of it
except ShardingError as error:
    assert "uses 2 of the 4 devices of 2 processes" in str(error), error
else:
    raise SystemExit("a mesh without the second process was made")
"""


def test_two_processes_join() -> None:
    with joined([sys.executable, "-c", JOIN]) as processes:
        said = [process.communicate(timeout=90) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert [out.split() for out, _ in said] == [["0", "2", "2", "4"], ["1", "2", "2", "4"]], said
