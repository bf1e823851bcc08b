"""`oprover`, in a process where SIGUSR1 deletes the weights of its engine from the device, as a lost device would."""

import gc
import signal

import jax

from oprover_jax.cli.main import main
from oprover_jax.rollout.jax_engine import JaxEngine


def lose_weights(number: int, frame: object) -> None:
    for engine in (found for found in gc.get_objects() if isinstance(found, JaxEngine)):
        jax.tree.map(lambda weight: weight.delete(), engine.params)
    print("broken", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lose_weights)
    main()
