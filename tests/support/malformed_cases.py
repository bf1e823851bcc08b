"""The kinds of malformed HTTP requests: each function takes one route with a valid body and breaks it in its way."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31 - 1, 2**31, 2**63, -(2**63) - 1, 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320),
    *("", " ", "\x00", "\n\r\t", "\u2028\x85", "é" * 50, "\ufeff", "𝔸" * 40, "'\"\\`${x}", "../../etc/passwd", "%00%ff", "a" * 5_000),
    *(
        "theorem",
        ":= by sorry",
        "/- open",
        '"open',
        "«open",
        "import Mathlib",
        "#exit",
        "NaN",
        "1e999",
        "sorry " * 500,
        "(" * 3_000,
        "-- " * 200,
    ),
    *([], {}, [[]], [None], [{}], {"": ""}, [1, "a", [], {}], {"a": {"b": {"c": []}}}, ["a"] * 300, [0] * 3_000, [[0] * 50] * 50),
)
_RAW_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5_000, "0x10", "01", "+1", "1.", ".5", "1e", "1_000", "--1", "0e0")
_RAW_STRINGS = (r'"\ud800"', r'"\udc00\ud800"', r'"\u00"', r'"\x41"', '"\x01"', '"' + "a" * 400, r'"\u0000"', "'a'", '"\\')
_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "BREW", "PO ST", "")
_KINDS = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "json",
    "",
    ";;;",
)
_ENCODINGS = ("utf-16", "utf-8-sig", "utf-32", "latin-1")
_PATHS = (
    "/redoc",
    "/docs/oauth2-redirect",
    "//",
    "/%00",
    "/%ff/..%2f",
    "/../../etc/passwd",
    "/v1",
    "/" + "a" * 3_000,
    "/a?" + "b=c&" * 500,
    "*",
)


@dataclass(frozen=True)
class Case:
    """One route and a body that fits it."""

    rng: random.Random
    method: str
    path: str
    host: str
    headers: str
    body: Any

    def head(self, *more: str, method: str | None = None, path: str | None = None, kind: str = "application/json") -> bytes:
        lines = [f"{self.method if method is None else method} {path or self.path} HTTP/1.1", f"Host: {self.host}", "Connection: close"]
        lines += [f"Content-Type: {kind}"] if kind else []
        return ("\r\n".join([*lines, *more]) + "\r\n" + self.headers + "\r\n").encode("utf-8", "surrogatepass")

    def whole(self, body: bytes, *more: str, **given: Any) -> list[bytes]:
        return [self.head(f"Content-Length: {len(body)}", *more, **given), body]

    def json(self) -> bytes:
        return json.dumps(self.body).encode()


_Made = tuple[str, list[bytes], str]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in parts for place in _places(part, (*path, key)))]


def _put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = _put(value[place[0]], place[1:], new)
    return copy


def _nasty_field(case: Case) -> _Made:
    place, new = case.rng.choice(_places(case.body)), case.rng.choice(_NASTY)
    return f"{place} = {new!r}", case.whole(json.dumps(_put(case.body, place, new)).encode()), "read"


def _nasty_literal(case: Case) -> _Made:
    place, raw = case.rng.choice(_places(case.body)), case.rng.choice(_RAW_NUMBERS + _RAW_STRINGS)
    text = json.dumps(_put(case.body, place, "@here@")).replace('"@here@"', raw)
    return f"{place} = {raw}", case.whole(text.encode()), "read"


def _fields(case: Case) -> _Made:
    """Missing, unknown, doubled and empty fields."""
    body = dict(case.body) if isinstance(case.body, dict) else {}
    how = case.rng.choice(("missing", "unknown", "doubled", "huge key"))
    if how == "missing" and body:
        del body[case.rng.choice(sorted(body))]
    text = json.dumps(body)
    extra = {"unknown": '"x\\u0000": [{}, 1]', "huge key": f'"{"k" * 20_000}": 1'}.get(how, text[1:-1] or '"id": ""')
    if how != "missing":
        text = f"{text[:-1]}{', ' if body else ''}{extra}}}"
    return how, case.whole(text.encode()), "read"


def _depth(case: Case) -> _Made:
    levels, (opening, closing) = case.rng.choice((65, 500, 5_000, 100_000)), case.rng.choice((("[", "]"), ('{"a":', "}")))
    nested = opening * levels + "1" + closing * (levels if case.rng.random() < 0.7 else 0)
    place = case.rng.choice(_places(case.body))
    text = nested if case.rng.random() < 0.3 else json.dumps(_put(case.body, place, "@here@")).replace('"@here@"', nested)
    if case.rng.random() < 0.3:
        text = f'{{"unknown": {nested}, {json.dumps(case.body)[1:]}'
    return f"{levels} levels", case.whole(text.encode()), "read"


def _text(case: Case) -> _Made:
    """Truncated, not JSON, of another encoding, or large."""
    whole = case.json()
    cut = whole[: case.rng.randrange(len(whole))]
    flipped = bytes(byte ^ (case.rng.random() < 0.05) * case.rng.randrange(256) for byte in whole)
    encoding = case.rng.choice(_ENCODINGS)
    choices = {
        "truncated": cut,
        "flipped": flipped,
        encoding: whole.decode().encode(encoding),
        "not UTF-8": whole.replace(b"a", b"\xff\xfe"),
        "large": b'{"id": "' + b"x" * case.rng.choice((9_000, 300_000, 2_000_000)) + b'"}',
        "many": b'{"a": [' + b"[],{}," * case.rng.choice((100, 50_000)) + b"1]}",
        "empty": b"",
        "random": case.rng.randbytes(300),
    }
    how = case.rng.choice(sorted(choices))
    return how, case.whole(choices[how]), "read"


def _declared(case: Case) -> _Made:
    """Wrong method, type, encoding or path."""
    body, rng = case.json(), case.rng
    how = rng.choice(("method", "type", "two types", "encoding", "path", "expect", "upgrade"))
    if how == "method":
        return how, case.whole(body, method=rng.choice(_METHODS)), "read"
    if how == "path":
        return how, case.whole(body, path=rng.choice(_PATHS)), "read"
    more = {
        "two types": ("Content-Type: text/plain",),
        "encoding": (f"Content-Encoding: {rng.choice(('gzip', 'br', 'identity, gzip', 'x'))}",),
        "expect": (f"Expect: {rng.choice(('100-continue', 'miracles'))}",),
        "upgrade": (
            "Upgrade: websocket",
            "Connection: upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
    }.get(how, ())
    return how, case.whole(body, *more, kind=rng.choice(_KINDS) if how == "type" else "application/json"), "read"


def _length(case: Case) -> _Made:
    """A content length that is not the body's."""
    body, rng = case.json(), case.rng
    given = rng.choice(
        (str(len(body) // 2), "-1", "+5", "0x10", "1e3", "", "9" * 30, "²", f"{len(body)}, {len(body)}", "1\r\nContent-Length: 2")
    )
    return given, [case.head(f"Content-Length: {given}"), body], rng.choice(("read", "read", "close"))


def _half(case: Case) -> _Made:
    """Half a body or half a head, and then nothing."""
    body = case.json()
    whole = case.head(f"Content-Length: {len(body) + 1}") + body
    cut = whole[: case.rng.randrange(1, len(whole))]
    return f"{len(cut)} bytes", [cut[: len(cut) // 2], cut[len(cut) // 2 :]], case.rng.choice(("close", "reset"))


def _chunks(case: Case) -> _Made:
    body, rng = case.json(), case.rng
    good = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    choices = {
        "whole": good,
        "bad size": b"zz\r\n" + body,
        "negative": b"-5\r\n" + body,
        "huge size": b"f" * 17 + b"\r\n" + body,
        "tiny": b"".join(b"1\r\n%c\r\n" % byte for byte in body * 40) + b"0\r\n\r\n",
        "extension": b"%x;%s\r\n%s\r\n0\r\n\r\n" % (len(body), b"a=b;" * rng.choice((10, 20_000)), body),
        "trailers": good[:-2] + b"".join(b"T%d: x\r\n" % i for i in range(rng.choice((5, 5_000)))) + b"\r\n",
        "no end": b"%x\r\n%s\r\n0\r\nX" % (len(body), body),
        "bare newlines": b"%x\n%s\n0\n\n" % (len(body), body),
    }
    how = rng.choice(sorted(choices))
    coding = rng.choice(("chunked", "chunked", "chunked", "gzip", "chunked, chunked", "identity"))
    both = ("Content-Length: 3",) if rng.random() < 0.2 else ()
    ending = "close" if how in ("no end", "huge size", "bare newlines") else "read"
    return f"{how}, {coding}", [case.head(f"Transfer-Encoding: {coding}", *both), choices[how]], ending


def _head(case: Case) -> _Made:
    """Malformed, endless and contradictory headers."""
    rng, start = case.rng, f"{case.method} {case.path}".encode()
    host = f"Host: {case.host}\r\n".encode()
    choices = {
        "many": b"%s HTTP/1.1\r\n%s" % (start, host) + b"X-A: b\r\n" * rng.choice((101, 5_000, 60_000)) + b"\r\n",
        "long": b"%s HTTP/1.1\r\n%sX: " % (start, host) + b"a" * rng.choice((40_000, 3_000_000)) + b"\r\n\r\n",
        "long target": start + b"?" + b"a" * rng.choice((40_000, 500_000)) + b" HTTP/1.1\r\n" + host + b"\r\n",
        "no colon": b"%s HTTP/1.1\r\n%snonsense\r\n\r\n" % (start, host),
        "folded": b"%s HTTP/1.1\r\n%sX: a\r\n b\r\n\r\n" % (start, host),
        "null": b"%s HTTP/1.1\r\n%sX: a\x00b\r\n\r\n" % (start, host),
        "no host": b"%s HTTP/1.1\r\n\r\n" % start,
        "two hosts": b"%s HTTP/1.1\r\n%sHost: b\r\n\r\n" % (start, host),
        "version": b"%s HTTP/%s\r\n%s\r\n" % (start, rng.choice((b"1.0", b"2.0", b"9.9", b"0.9", b"x")), host),
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(200),
        "noise": rng.randbytes(rng.choice((10, 3_000))) + b"\r\n\r\n",
        "empty lines": b"\r\n" * 500 + start + b" HTTP/1.1\r\n" + host + b"\r\n",
        "absolute": b"%s http://evil.example%s HTTP/1.1\r\n%s\r\n" % (case.method.encode(), case.path.encode(), host),
    }
    how = rng.choice(sorted(choices))
    data = choices[how]
    middle = rng.randrange(len(data))
    return how, [data[:middle], data[middle:]], "read" if data.endswith(b"\r\n\r\n") and how != "HTTP/2" else "close"


def _origin(case: Case) -> _Made:
    """A Host, an Origin, a client or a key that is not welcome."""
    body, rng = case.json(), case.rng
    names = ("evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "[::1", "a:b:c", "", " ", "localhost:99999999", "\u00e9")
    header = rng.choice(
        (
            *(f"Origin: {scheme}{name}" for name in names for scheme in ("http://", "file://", "")),
            *("Origin: null", "Sec-Fetch-Site: cross-site", f"X-Client: {'c' * rng.choice((201, 9_000))}", "X-Client: \xff\x01"),
            *("Authorization: Bearer", "Authorization: Bearer \xff\xfe", "Authorization: Basic YTpi", "Authorization: " + "x" * 5_000),
        )
    )
    if rng.random() < 0.3:
        wrong = Case(rng, case.method, case.path, rng.choice(names), case.headers, case.body)
        return "Host", wrong.whole(body), "read"
    return header, case.whole(body, header), "read"


def _pipelined(case: Case) -> _Made:
    one = b"".join(case.whole(case.json())).replace(b"Connection: close\r\n", b"")
    return "20 at once", [one * 20 + b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"], "read"


def _dribbled(case: Case) -> _Made:
    data = b"".join(case.whole(case.json()))
    return "slowly", [data[i : i + 40] for i in range(0, min(len(data), 2_000), 40)], "read" if len(data) <= 2_000 else "close"


def _well_formed(case: Case) -> _Made:
    return "as described", case.whole(case.json()), case.rng.choice(("read", "read", "close", "reset"))


MAKERS: tuple[Callable[[Case], _Made], ...] = (
    *(_nasty_field, _nasty_field, _nasty_field, _nasty_literal, _fields, _depth, _text, _declared, _length, _half, _chunks, _head, _origin),
    *(_pipelined, _dribbled, _well_formed),
)
