"""Seeded generator of malformed HTTP requests against every route of an OpenAPI document, and a client that sends them byte by byte."""

import random
import re
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from malformed_cases import MAKERS, Case


@dataclass(frozen=True)
class Malformed:
    """One connection: `pieces` are sent with a pause between them; `ending` is how the client goes on."""

    name: str
    pieces: tuple[bytes, ...]
    ending: str = "read"  # or "close" or "reset", at once


@dataclass(frozen=True)
class Answer:
    """Statuses, headers and bodies of all answers on one connection, in order."""

    statuses: tuple[int, ...]
    text: str

    @property
    def broken(self) -> bool:
        """Whether a server must not answer so: with a trace, or with a 5xx other than 503 with Retry-After."""
        later = len(re.findall(r"(?im)^retry-after: \d+\r$", self.text))
        wrong = [status for status in self.statuses if status >= 500 and status != 503]
        return bool(wrong) or self.statuses.count(503) > later or "Traceback" in self.text or 'File "' in self.text


def malformed(
    document: dict[str, Any], count: int, seed: int, host: str, headers: str = "", skip: frozenset[str] = frozenset()
) -> Iterator[Malformed]:
    """Yield `count` requests to the routes of an OpenAPI document.

    Args:
        document: the OpenAPI document.
        count: how many requests.
        seed: equal seeds give equal requests.
        host: value of the header Host.
        headers: whole header lines to add, a key for example.
        skip: paths that are left alone.
    """
    rng = random.Random(seed)
    routes = [
        (path, method.upper(), operation)
        for path, item in sorted(document["paths"].items())
        for method, operation in sorted(item.items())
        if path not in skip
    ]
    schemas = document.get("components", {}).get("schemas", {})
    for _ in range(count):
        path, method, operation = rng.choice(routes)
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        body = _example(content["schema"], schemas, rng) if content else {}
        case = Case(rng, method, path, host, headers, body)
        make = rng.choice(MAKERS)
        name, pieces, ending = make(case)
        yield Malformed(f"{make.__name__.strip('_')} {method} {path}: {name}"[:200], tuple(pieces), ending)


def send(address: tuple[str, int], request: Malformed, seconds: float = 20.0) -> Answer:
    """Send it and read until the server closes, falls silent for half a second after an answer, or `seconds` have passed."""
    received = bytearray()
    with socket.create_connection(address, timeout=seconds) as client:
        try:
            for number, piece in enumerate(request.pieces):
                if number:
                    time.sleep(0.005)
                client.sendall(piece)
            if request.ending == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end = time.monotonic() + seconds
            while request.ending == "read" and time.monotonic() < end:
                client.settimeout(0.5 if received else seconds)
                piece = client.recv(65_536)
                if not piece:
                    break
                received += piece
        except (TimeoutError, ConnectionError, BrokenPipeError):
            pass
    text = received.decode("utf-8", "replace")
    return Answer(tuple(int(found) for found in re.findall(r"(?:^|[}\]\n])HTTP/1\.[01] (\d{3}) ", text)), text)


def _example(schema: dict[str, Any], schemas: dict[str, Any], rng: random.Random, depth: int = 0) -> Any:
    """Return a value that fits a schema."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas, rng, depth)
    if "anyOf" in schema:
        return _example(rng.choice(schema["anyOf"]), schemas, rng, depth)
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type", "string")
    if kind == "object":
        needed = schema.get("required", ())
        fields = {name: one for name, one in schema.get("properties", {}).items() if name in needed or rng.random() < 0.4}
        return {name: _example(one, schemas, rng, depth + 1) for name, one in fields.items()}
    if kind == "array":
        return [_example(schema.get("items", {}), schemas, rng, depth + 1) for _ in range(rng.randint(0 if depth > 2 else 1, 2))]
    texts = ("a", f"theorem t{rng.randrange(99)} : 1 + 1 = 2 := by sorry", "by decide", "rfl", "theorem t : 1 + 1 = 2 := rfl")
    simple = {"integer": rng.randint(0, 5), "number": rng.random() + 0.1, "boolean": rng.random() < 0.5, "null": None}
    return simple.get(kind, rng.choice(texts))
