"""Product with a kernel whose weight gradient is computed with the input first."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def project(subscripts: str, x: Float[Array, "..."], kernel: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return `jnp.einsum(subscripts, x, kernel)`, for subscripts such as "bsD,Df->bsf". Gradients are laid out like `x` and `kernel`.

    JAX would put the output's gradient first in the product that gives the kernel's. XLA's CPU backend then computes that gradient
    transposed, element by element, once for every kernel; this way it transposes `x`, once for all kernels that read it.
    """
    return jnp.einsum(subscripts, x, kernel)


def _forward(subscripts: str, x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return project(subscripts, x, kernel), (x, kernel)


def _backward(subscripts: str, residuals: tuple[Array, Array], gradient: Array) -> tuple[Any, Any]:
    x, kernel = residuals
    inputs, output = subscripts.split("->")
    read, weight = inputs.split(",")
    to_x = jnp.einsum(f"{output},{weight}->{read}", gradient, kernel, out_sharding=jax.typeof(x).sharding)
    to_kernel = jnp.einsum(f"{read},{output}->{weight}", x, gradient, out_sharding=jax.typeof(kernel).sharding)
    return to_x, to_kernel


project.defvjp(_forward, _backward)
