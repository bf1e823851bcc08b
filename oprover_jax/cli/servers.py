"""The options `--server` and `--api-key-file` of the verbs that sample from a policy."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from oprover_jax.rollout.sglang_engine import SGLangEngine

Servers = Annotated[tuple[str, ...], tyro.conf.arg(metavar="URL"), tyro.conf.UseAppendAction]

_PATIENCE_SECONDS = 60.0  # how long to retry an unreachable server


def open_servers(urls: tuple[str, ...], api_key_file: Path | None) -> "AbstractContextManager[SGLangEngine | None]":
    """Return an engine over the servers at `urls` with the weights that they have, or None without addresses."""
    if not urls:
        return nullcontext()
    from lean_worker.http import read_key
    from oprover_jax.rollout.sglang_engine import SGLangEngine

    return SGLangEngine(*urls, key=read_key(api_key_file, "OPROVER_API_KEY"), patience=_PATIENCE_SECONDS)
