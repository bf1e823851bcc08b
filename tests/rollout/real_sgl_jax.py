"""A real SGL-JAX server on CPU, as the tests run by `make test-sglang` start it; corrected by `sgl_jax_server.py`."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import rollout_server

HERE = Path(__file__).parent
PYTHON = Path(os.environ.get("SGLANG_PYTHON", HERE.parents[1] / ".venv-sglang" / "bin" / "python"))
# without chunks, in which it computes no log-probabilities; it is compiled anew for every prefill beyond 512 tokens
SIZES = "--max-total-tokens 4096 --mem-fraction-static 0.2 --max-running-requests 16 --max-prefill-tokens 512 --chunked-prefill-size -1"


@contextmanager
def serving(folder: Path) -> Iterator["SGLJax"]:
    """A server with the weights of `folder`."""
    server = SGLJax()
    try:
        server.start(folder)
        yield server
    finally:
        server.stop()


class SGLJax:
    """The server, which is started again on the same port with the weights of another folder."""

    def __init__(self) -> None:
        self.port = rollout_server.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, folder: Path) -> None:
        """Returns when it answers."""
        self.stop()
        began = time.monotonic()
        words = [str(PYTHON), str(HERE / "sgl_jax_server.py"), "--model-path", str(folder), "--host", "127.0.0.1", "--port", str(self.port)]
        words += ["--device", "cpu", "--dtype", "float32", "--attention-backend", "native", "--disable-jax-precompile", *SIZES.split()]
        offline = {"JAX_PLATFORMS": "cpu", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        log = folder.with_suffix(".log")
        with open(log, "wb") as out:
            self.process = subprocess.Popen(words, stdout=out, stderr=out, env=self._environment() | offline, start_new_session=True)
        while True:
            assert self.process.poll() is None and time.monotonic() - began < 300, log.read_text()[-3000:]
            try:
                if httpx2.get(f"{self.url}/health_generate", timeout=60).status_code == 200:
                    break
            except httpx2.TransportError:
                pass
            time.sleep(0.5)
        print(f"SGL-JAX answers after {time.monotonic() - began:.1f} s")

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    @staticmethod
    def _environment() -> dict[str, str]:
        """Return the environment without what is meant for this project's own Python and JAX, its compilation cache included."""
        return {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "XLA_FLAGS") and not name.startswith("JAX_")
        }
