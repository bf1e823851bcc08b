"""HTTP/1.1 with limits: uvicorn's h11 protocol with bounded headers, timeouts, a connection limit and JSON errors."""

import asyncio
from typing import Any

import h11
import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol
from uvicorn.server import ServerState

from lean_worker.http.limits import HttpLimits

_SLICE = 16 << 10  # bytes parsed at once; limits are exceeded by at most this much
_FREE_PIECES, _PIECE_BYTES = 4096, 64  # pieces of a body may be tiny only while they are few
_LINGER_SECONDS = 1.0


class LimitedProtocol(H11Protocol):
    """One HTTP/1.1 connection with limits."""

    def __init__(
        self,
        limits: HttpLimits,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self.conn: _LimitedConnection = _LimitedConnection(limits)
        self.opened = self.loop.time()
        self._fresh = True  # no request has been read yet
        self._phase = ""
        self._phase_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        gentle: Any = _GentleTransport(transport, self.loop)
        super().connection_made(gentle)
        self._watch()
        if len(self.connections) > self._limits.max_connections:
            self._make_room()

    def _make_room(self) -> None:
        """Close the longest silent connection; if there is none, refuse this one."""
        most = self._limits.max_connections
        others = [other for other in self.connections if isinstance(other, LimitedProtocol) and other is not self]
        others = [other for other in others if not other.transport.is_closing()]
        silent = [other for other in others if other.silent]
        if len(self.connections) > 2 * most:
            self.transport.abort()
        elif len(others) >= most and silent:
            min(silent, key=lambda other: other.opened).transport.abort()
        elif len(others) >= most:
            self._refuse(503, f"{most} connections are open; try again later", "retry-after: 1\r\n")

    @property
    def silent(self) -> bool:
        """Whether the client has not sent a whole request yet."""
        return self._fresh and self._phase == "head"

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._phase_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _SLICE):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _SLICE])
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and self.conn.their_state is h11.SEND_BODY:
            self.transport.close()  # the response was early, so the rest of the body is not needed
        self._watch()

    def send_400_response(self, msg: str) -> None:
        self._refuse(*self.conn.refusal)

    def shutdown(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            self.cycle.keep_alive = False

    def timeout_keep_alive_handler(self) -> None:
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _should_upgrade(self) -> bool:
        return False

    def _watch(self) -> None:
        """Start the timer for the part of the request that is being read."""
        phase = "answer"
        if self.conn.their_state is h11.SEND_BODY:
            phase = "body"
        elif self.conn.their_state is h11.IDLE:
            phase = "head" if self._fresh or self.conn.trailing_data[0] else "idle"
        if phase == self._phase:
            return
        self._fresh = self._fresh and phase == "head"
        self._phase = phase
        if self._phase_timer is not None:
            self._phase_timer.cancel()
            self._phase_timer = None
        seconds = {"head": self._limits.head_seconds, "body": self._limits.body_seconds}.get(phase)
        if seconds is not None:
            self._phase_timer = self.loop.call_later(seconds, self._too_slow, seconds)

    def _too_slow(self, seconds: float) -> None:
        if self._phase == "head" and not self.conn.trailing_data[0]:
            self.transport.close()
        else:
            self._refuse(408, f"the {self._phase} of the request did not arrive within {seconds:g} s; send it faster")

    def _refuse(self, status: int, sentence: str, headers: str = "") -> None:
        """Respond without the application unless a response has begun, and close the connection."""
        if self.transport.is_closing():
            return
        begun = self.cycle is not None and not self.cycle.response_complete and self.cycle.response_started
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not begun:
            body = msgspec.json.encode({"detail": sentence})
            head = (
                f"HTTP/1.1 {status} {STATUS_PHRASES[status].decode()}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            )
            head += f"x-content-type-options: nosniff\r\n{headers}connection: close\r\n\r\n"
            self.transport.write(head.encode() + body)
        self.transport.close()


class _LimitedConnection(h11.Connection):
    """h11 connection with limits on headers and on tiny body chunks. `refusal` is the status and sentence of the last error."""

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=limits.max_head_bytes)
        self.refusal = (400, "the request is not valid HTTP/1.1")
        self._limits = limits
        self._pieces = self._bytes = 0

    def next_event(self) -> Any:
        try:
            if self.their_state is h11.IDLE:
                self._check_head(self.trailing_data[0])
            event = super().next_event()
            if isinstance(event, h11.Request):
                self._pieces = self._bytes = 0
            elif isinstance(event, h11.Data):
                self._check_piece(len(event.data))
            return event
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            sentence = " ".join(str(error).split())
            self.refusal = (status if status in (413, 431) else 400, f"the request is not valid HTTP/1.1: {sentence}")
            raise

    def _check_head(self, received: bytes) -> None:
        limits = self._limits
        head = received[: limits.max_head_bytes + 1]
        ends = [end for end in (head.find(b"\n\r\n"), head.find(b"\n\n")) if end >= 0]
        if ends:
            head = head[: min(ends)]
        if len(head) > limits.max_head_bytes:
            raise h11.RemoteProtocolError(f"headers are longer than {limits.max_head_bytes} bytes", error_status_hint=431)
        if head.count(b"\n") > limits.max_headers:
            raise h11.RemoteProtocolError(f"more than {limits.max_headers} headers", error_status_hint=431)

    def _check_piece(self, length: int) -> None:
        self._pieces += 1
        self._bytes += length
        if self._pieces > _FREE_PIECES and self._bytes < _PIECE_BYTES * self._pieces:
            raise h11.RemoteProtocolError("the body arrives in too many tiny chunks", error_status_hint=400)


class _GentleTransport:
    """Transport whose `close` lets the client read the response first: closing with unread input would discard it in transit.

    After `close`, nothing more is written; input is still read but discarded.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._closed or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self.is_closing():
            return
        self._closed = True
        self._transport.resume_reading()
        try:
            self._transport.write_eof()
        except OSError:  # the client has already disconnected
            self._transport.abort()
            return
        self._loop.call_later(_LINGER_SECONDS, self._transport.abort)
