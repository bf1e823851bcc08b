"""Rematerialisation policies by name: what a layer's forward pass keeps for the backward pass, and what is recomputed."""

from collections.abc import Callable
from typing import Any

import jax

# Tensors that a layer marks with `checkpoint_name`: its input, the projections to queries, keys and values, the result of attention that
# avoids running it again (splash: output and logsumexp; reference: output; the GPU kernels mark nothing), both halves of the MLP.
TENSORS = ("input", "qkv", "attention", "gate", "up")


def check_remat(policy: str) -> None:
    """Raise ValueError unless `policy` is none, full, or like save:attention,gate or offload:input or save:qkv+offload:input."""
    if policy not in ("none", "full"):
        _parse(policy)


def with_remat(layer: Callable[..., Any], policy: str) -> Callable[..., Any]:
    """Return `layer`, to be run by `lax.scan`, with its backward pass under `policy`.

    none keeps everything, full only the layer's input. save: keeps the named tensors on the device as well; offload: sends them to the
    host's pinned memory and back; with `input` there, nothing stays on the device.
    """
    if policy == "none":
        return layer
    kept = None
    if policy != "full":
        names = _parse(policy)
        kept = jax.checkpoint_policies.save_and_offload_only_these_names(
            names_which_can_be_saved=names["save"],
            names_which_can_be_offloaded=names["offload"],
            offload_src="device",
            offload_dst="pinned_host",
        )
    # a scan already separates forward and backward, so barriers against merging them would only add cost
    return jax.checkpoint(layer, policy=kept, prevent_cse=False)


def _parse(policy: str) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {"save": [], "offload": []}
    for clause in policy.split("+"):
        action, _, tensors = clause.partition(":")
        if action not in names or not tensors:
            raise ValueError(f"remat is {policy!r}; choose none, full, save:NAMES, offload:NAMES or save:NAMES+offload:NAMES")
        names[action] += tensors.split(",")
    named = names["save"] + names["offload"]
    for name in named:
        if name not in TENSORS:
            raise ValueError(f"remat is {policy!r} but a layer has no tensor {name!r}; choose from {', '.join(TENSORS)}")
        if named.count(name) > 1:
            raise ValueError(f"remat is {policy!r}, which lists {name!r} twice; list it once")
    return names
