"""What the HTTP service allows: who may ask, and how much at once."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ServiceSettings:
    """`key` is the bearer key that every request but `/`, `/health` and the OpenAPI page must carry; None lets everybody in.

    `max_body_bytes` bounds a request's body, `max_batch` the checks or snippets in one request, `max_theorems` the theorems of one snippet.
    """

    key: str | None = field(default=None, repr=False)
    max_body_bytes: int = 32 << 20
    max_batch: int = 10_000
    max_theorems: int = 64

    def __post_init__(self) -> None:
        if self.key is not None and not (self.key.isascii() and self.key.isprintable() and self.key.strip() == self.key != ""):
            raise ValueError("the key must be printable ASCII without spaces around it; choose another")
        if min(self.max_body_bytes, self.max_batch, self.max_theorems) < 1:
            raise ValueError("max_body_bytes, max_batch and max_theorems must be at least 1")
