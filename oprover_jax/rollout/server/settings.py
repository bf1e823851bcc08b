"""What the rollout server allows: who may ask, and how much at once."""

from dataclasses import dataclass, field

from oprover_jax.errors import InputError


@dataclass(frozen=True)
class ServerSettings:
    """`key` is the bearer key that every request but `/health` and the OpenAPI page must carry; None lets everybody in.

    `max_body_bytes` bounds a request's body, `max_samples` the completions asked for in one request, `queue_limit` those that may be
    under way or wait in all: more are refused with 429.
    """

    model: str
    key: str | None = field(default=None, repr=False)
    max_body_bytes: int = 8 << 20
    max_samples: int = 1024
    queue_limit: int = 16_384

    def __post_init__(self) -> None:
        if self.key is not None and not (self.key.isascii() and self.key.isprintable() and self.key.strip() == self.key != ""):
            raise InputError("the key must be printable ASCII without spaces around it; choose another")
        if min(self.max_body_bytes, self.max_samples, self.queue_limit) < 1:
            raise InputError("max_body_bytes, max_samples and queue_limit must be at least 1")
