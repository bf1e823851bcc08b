"""What the HTTP service allows: who may ask, and how much at once."""

from dataclasses import dataclass, field

from lean_worker.candidate import MAX_CANDIDATE_LENGTH
from lean_worker.http import HttpLimits, check_key


@dataclass(frozen=True)
class ServiceSettings:
    """Settings of one service. Whatever exceeds a limit is refused before any work is done.

    Attributes:
        key: the bearer key that every request but `/`, `/health` and the OpenAPI page must carry; None admits everybody.
        max_body_bytes: bytes of a request's body.
        max_batch: checks or snippets in one request.
        max_theorems: theorems of one snippet.
        max_statement: characters of a statement.
        max_header: characters of a header.
        max_proof: characters of a proof.
        max_snippet: characters of a snippet.
        max_contexts: characters that the theorems of one snippet may have before them, added up: each is checked behind all of its own.
        max_id: characters of an id.
        max_client: characters of `X-Client`.
        hosts: names, besides those of loopback, under which a service without a key may be addressed.
        http: limits of the connections.
    """

    key: str | None = field(default=None, repr=False)
    max_body_bytes: int = 32 << 20
    max_batch: int = 10_000
    max_theorems: int = 64
    max_statement: int = 60_000
    max_header: int = 100_000
    max_proof: int = MAX_CANDIDATE_LENGTH
    max_snippet: int = 200_000
    max_contexts: int = 1_000_000
    max_id: int = 500
    max_client: int = 200
    hosts: tuple[str, ...] = ()
    http: HttpLimits = field(default_factory=HttpLimits)

    def __post_init__(self) -> None:
        check_key(self.key)
        for name, value in vars(self).items():
            if name.startswith("max_") and not value >= 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
