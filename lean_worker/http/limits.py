"""Limits of HTTP connections and request bodies, enforced before any work is done."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class HttpLimits:
    """Limits of one HTTP service; sizes in bytes and times in seconds.

    Attributes:
        max_head_bytes: request line and headers of one request; larger ones get 431.
        max_headers: header lines of one request; more get 431.
        max_connections: open connections. Above the limit, a connection that has not sent a request yet is closed; if there is none, the
            new one gets 503 and Retry-After.
        head_seconds: from opening a connection, or the first byte of a later request, to the end of the headers; then 408.
        body_seconds: from the end of the headers to the end of the body; then 408.
        keep_alive_seconds: how long a connection may be idle after a response.
        write_seconds: how long a client may leave a response unread before the connection is closed.
        grace_seconds: how long requests in progress may take to finish after SIGTERM or SIGINT; then 503.
        max_nesting: depth of arrays and objects in a JSON body.
        max_json_parts: number of arrays, objects and strings in a JSON body.
        max_bodies_bytes: bytes of all bodies that are being received and decoded, without the first 64 KiB of each; above it, a body
            gets 503 and Retry-After.
    """

    max_head_bytes: int = 32 << 10
    max_headers: int = 100
    max_connections: int = 1000
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    keep_alive_seconds: int = 15
    write_seconds: float = 60.0
    grace_seconds: int = 3
    max_nesting: int = 64
    max_json_parts: int = 1_000_000
    max_bodies_bytes: int = 256 << 20

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < 1 << 31:
                raise ValueError(f"{field.name} is {value}; give a positive number")
