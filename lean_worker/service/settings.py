"""Settings of the HTTP service: access and request limits."""

from dataclasses import dataclass, field

from lean_worker.candidate import MAX_CANDIDATE_LENGTH
from lean_worker.http import HttpLimits, check_key


@dataclass(frozen=True)
class ServiceSettings:
    """Settings of one service. A request that exceeds a limit is refused before any work is done.

    Attributes:
        key: the bearer key that every request except to `/`, `/health` and the OpenAPI page must carry; None admits every client.
        max_body_bytes: size of a request body, in bytes.
        max_batch: checks or snippets per request.
        max_theorems: theorems per snippet or file.
        max_statement: characters per statement.
        max_header: characters per header.
        max_proof: characters per proof.
        max_snippet: characters per snippet or file.
        max_positions: positions per request for goals.
        max_linted: theorems per request for lint, holes or `have`s per request for lemmas.
        max_id: characters per id.
        max_client: characters of `X-Client`.
        hosts: additional host names that a service without a key accepts in addition to loopback names.
        http: limits of the connections.
    """

    key: str | None = field(default=None, repr=False)
    max_body_bytes: int = 32 << 20
    max_batch: int = 10_000
    max_theorems: int = 256
    max_statement: int = 60_000
    max_header: int = 100_000
    max_proof: int = MAX_CANDIDATE_LENGTH
    max_snippet: int = 200_000
    max_positions: int = 200
    max_linted: int = 16
    max_id: int = 500
    max_client: int = 200
    hosts: tuple[str, ...] = ()
    http: HttpLimits = field(default_factory=HttpLimits)

    def __post_init__(self) -> None:
        check_key(self.key)
        for name, value in vars(self).items():
            if name.startswith("max_") and not value >= 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
