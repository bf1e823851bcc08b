"""FLOP count of a traced function: its matrix products, multiplied by loop counts, including recomputation by remat."""

import math
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr


def matrix_flops(traced: ClosedJaxpr) -> float:
    """Return the FLOPs of all dot products (2 per multiplication), over all devices. Kernels count what they declare. Unlike in a
    compiler's own count, the body of a scan counts as often as it runs."""
    return _flops(traced.jaxpr, 1.0)


def _flops(jaxpr: Jaxpr, times: float) -> float:
    return math.fsum(_of_equation(equation, times) for equation in jaxpr.eqns)


def _of_equation(equation: Any, times: float) -> float:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return times * 2.0 * math.prod(equation.outvars[0].aval.shape) * math.prod(shape[axis] for axis in contracted)
    if name == "pallas_call":
        estimate = params["cost_estimate"]
        return times * estimate.flops if estimate is not None else 0.0
    if name == "scan":
        times *= params["length"]
    if name == "shard_map":  # shapes inside are those of one device
        times *= math.prod(params["mesh"].shape.values())
    return math.fsum(_flops(inner, times) for inner in _inner(params))


def _inner(params: dict[str, Any]) -> list[Jaxpr]:
    jaxprs = []
    for value in jax.tree.leaves(list(params.values()), is_leaf=lambda x: isinstance(x, Jaxpr | ClosedJaxpr)):
        if isinstance(value, ClosedJaxpr):
            jaxprs.append(value.jaxpr)
        elif isinstance(value, Jaxpr):
            jaxprs.append(value)
    return jaxprs
