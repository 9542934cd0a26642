"""One connection: aiohttp's protocol, with the deadlines and the quiet that it lacks.

aiohttp waits for ever for headers and for a peer that reads no answers, caps no number of
connections, and answers input that it cannot parse in words that repeat it. There is no public way
to mend the first, so this module knows four private attributes of `RequestHandler`
(`_request_count`, `_waiter`, `_messages`, `_current_request`); a test pins them.
"""

import asyncio
from typing import Protocol

from aiohttp.http import RawRequestMessage
from aiohttp.web import BaseRequest, RequestHandler, RequestPayloadError, Server, StreamResponse

from hub.receiver import answers
from hub.receiver.limits import Limits
from hub.receiver.metrics import Mishap
from hub.receiver.refusals import BadHeaders

_BAD_REQUEST = 400


class Port(Protocol):
    """What a connection asks of the port that it came in by."""

    limits: Limits

    def admit(self) -> bool:
        """Say whether one more connection may stay open, and count it if so."""
        ...

    def leave(self) -> None:
        """Count an admitted connection out."""
        ...

    def cut(self, reason: Mishap) -> None:
        """Hear of a mishap."""
        ...


class Connection(RequestHandler):
    """HTTP/1.1 on one socket, for as long as its peer behaves."""

    __slots__ = ("_admitted", "_header_timer", "_port", "_write_timer")

    def __init__(self, server: Server, *, port: Port, loop: asyncio.AbstractEventLoop) -> None:
        limits = port.limits
        super().__init__(
            server,
            loop=loop,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to switch it off
            keepalive_timeout=limits.idle_seconds,
            lingering_time=limits.unread_seconds,
            max_headers=limits.header_fields,
            max_field_size=limits.header_field_bytes,
            max_line_size=limits.header_field_bytes,
            read_bufsize=limits.body_buffer_bytes,
        )
        self._port = port
        self._admitted = False
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close at once beyond the cap; else expect headers from now on."""
        self._admitted = self._port.admit()
        if self._admitted:
            super().connection_made(transport)
            self._expect_headers()
        elif isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the clocks. A request whose body is here goes on: its event is kept."""
        if self._admitted:
            self._port.leave()
        self._headers_came()
        self._answer_was_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the parser, and mind how long a request takes to have all its headers."""
        requests = self._request_count
        super().data_received(data)
        if self._request_count != requests:
            self._headers_came()
            self._break_off_body()
        elif self._header_timer is None and self._waiter is not None and not self._waiter.done():
            self._expect_headers()
        self._refuse_hoarding()

    def pause_writing(self) -> None:
        """The peer does not read: give it a while."""
        super().pause_writing()
        self._refuse_hoarding()
        self._write_timer = self._loop.call_later(
            self._port.limits.write_seconds, self._cut, Mishap.UNREAD_ANSWER
        )

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        self._answer_was_read()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        """Answer input that is not HTTP, without repeating or logging it."""
        if status != _BAD_REQUEST or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        self._port.cut(Mishap.UNPARSABLE)
        return answers.refused(BadHeaders("this is not HTTP/1.1 as RFC 9112 has it"))

    def _expect_headers(self) -> None:
        self._header_timer = self._loop.call_later(
            self._port.limits.header_seconds, self._cut, Mishap.SLOW_HEADERS
        )

    def _headers_came(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _answer_was_read(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _refuse_hoarding(self) -> None:
        """Cut a peer that sends more requests while it leaves answers unread: both fill memory."""
        if self.writing_paused and self._messages:
            self._cut(Mishap.UNREAD_ANSWER)

    def _break_off_body(self) -> None:
        """Where the parser gave up in the middle of a body, tell its reader, which waits for it."""
        message, _ = self._messages[-1]
        if not isinstance(message, RawRequestMessage) and self._current_request is not None:
            self._current_request.content.set_exception(RequestPayloadError())

    def _cut(self, reason: Mishap) -> None:
        self._port.cut(reason)
        if self.transport is not None:
            self.transport.abort()
