"""The receiver: from a request to 202, in the order in which trust grows.

Find the door, read the headers, read the body within its limits, prove the sender, let the source
read the body, store the events, answer. Nothing looks into a body before its sender is proved, and
nothing is answered with 202 before the log has it.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence

import structlog
from aiohttp.web import BaseRequest, Response
from structlog.typing import FilteringBoundLogger

from hub.bus.interface import Bus, Conflict, Stored
from hub.errors import Conflicting, Refused, StorageError
from hub.events.envelope import Envelope
from hub.receiver import answers
from hub.receiver.aside import Aside
from hub.receiver.body import Budget, Share, read_body
from hub.receiver.doors import Door, Knock
from hub.receiver.headers import read_headers
from hub.receiver.limits import Limits
from hub.receiver.listener import Listener
from hub.receiver.metrics import Outcome, ReceiverMetrics
from hub.receiver.refusal_log import RefusalLog
from hub.receiver.refusals import BrokenBody, EncodedBody, TooLarge, UnknownPath, WrongMethod
from hub.settings import ReceiverSettings
from hub.sources.interface import Ignored, Taken

_NO_DOOR = "none"
_INVITATION = b"HTTP/1.1 100 Continue\r\n\r\n"


class Receiver:
    """HTTP in. Knows doors and the log, and no handler."""

    def __init__(
        self,
        *,
        settings: ReceiverSettings,
        bus: Bus,
        doors: Sequence[Door],
        metrics: ReceiverMetrics,
        limits: Limits | None = None,
        log: FilteringBoundLogger | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Build it. `doors` are those of `open_doors`; both clocks count seconds."""
        self._limits = limits or Limits()
        self._log = log or structlog.get_logger()
        self._bus = bus
        self._doors = {door.path: door for door in doors}
        self._metrics = metrics
        self._monotonic = monotonic
        self._wall = wall
        self._budget = Budget(self._limits.bodies_bytes)
        self._refusals = RefusalLog(self._log, monotonic=monotonic)
        self._aside = Aside(seconds=self._limits.aside_seconds)
        self._listener = Listener(
            host=settings.host,
            port=settings.port,
            answer=self._answer,
            limits=self._limits,
            on_mishap=lambda reason: metrics.cut(reason=reason),
        )

    async def start(self) -> int:
        """Listen, and return the port. Raises SettingsError where the address cannot be had."""
        return await self._listener.start()

    async def stop(self) -> None:
        """Accept nothing more, and return when what was in flight is answered."""
        await self._listener.stop()

    async def _answer(self, request: BaseRequest) -> Response:
        started = self._monotonic()
        name = _NO_DOOR
        share = Share(self._budget)
        try:
            door, segment = self._find(request)
            name = door.name
            knock = await self._read(door, segment, request, share)
            key = await self._prove(door, knock)
            taken = await self._take(door, knock, key)
            if isinstance(taken, Ignored):
                outcome, response = self._ignore(door, key, taken)
            else:
                outcome, response = await self._store(door, key, taken, started)
        except Refused as refusal:
            outcome, response = self._refuse(name, request, refusal)
        except StorageError as error:
            outcome, response = self._withhold(name, error)
        except Exception:  # noqa: BLE001  # whatever it is, the sender must not take it for a 202
            outcome, response = self._fail(name)
        finally:
            octets = share.held
            share.release()
        self._metrics.answered(
            door=name, outcome=outcome, status=response.status, body_bytes=octets
        )
        return response

    def _find(self, request: BaseRequest) -> tuple[Door, str]:
        path, segment = request.rel_url.raw_path, ""
        door = self._doors.get(path)
        if door is None:
            path, _, segment = path.rpartition("/")
            door = self._doors.get(path)
            if door is None or not door.has_segment:
                raise UnknownPath("there is no such path, or it has no key yet")
        if request.method != "POST":
            raise WrongMethod(door.wrong_method)
        return door, segment

    async def _read(self, door: Door, segment: str, request: BaseRequest, share: Share) -> Knock:
        headers = read_headers(request.headers)
        if headers.get("content-encoding", "identity") != "identity":
            raise EncodedBody("send the body as it is, without a content encoding")
        if int(headers.get("content-length", "0")) > door.body_bytes:
            raise TooLarge(f"the body is larger than {door.body_bytes} bytes")
        if headers.get("expect", "").lower() == "100-continue":
            await _invite(request)
        body = await read_body(
            request.content,
            cap=door.body_bytes,
            share=share,
            seconds=self._limits.body_seconds,
        )
        return Knock(headers=headers, body=body, segment=segment, wall=self._wall())

    async def _prove(self, door: Door, knock: Knock) -> str:
        keys = door.rings.good(monotonic=self._monotonic(), wall=knock.wall)
        if len(knock.body) > self._limits.inline_bytes:
            key = await asyncio.to_thread(door.prove, keys, knock)
        else:
            key = door.prove(keys, knock)
        self._metrics.verified(door=door.name, key=key)
        return key

    async def _take(self, door: Door, knock: Knock, key: str) -> Taken:
        hubkey = f"{door.name}/{key}"
        if len(knock.body) > self._limits.inline_bytes:
            taken = await self._aside.take(door.take, knock.headers, knock.body, hubkey=hubkey)
        else:
            taken = door.take(knock.headers, knock.body, hubkey=hubkey)
        if not isinstance(taken, Ignored):
            for event in taken:
                door.admit(event)
        return taken

    async def _store(
        self, door: Door, key: str, events: Sequence[Envelope], started: float
    ) -> tuple[Outcome, Response]:
        # A sender that leaves does not cancel this: its event is here, so it is kept.
        receipts = await self._bus.append(events)
        kinds = {type(receipt) for receipt in receipts}
        if Conflict in kinds and not door.derives_ids:
            raise Conflicting("this id is taken by an event with another body, which stands")
        duplicate = Stored not in kinds
        self._metrics.stored(door=door.name, seconds=self._monotonic() - started)
        self._log.info(
            "event_accepted",
            id=events[0].id,
            source=events[0].source,
            type=events[0].type,
            events=len(events),
            key=f"{door.name}/{key}",
            duplicate=duplicate,
        )
        outcome = Outcome.DUPLICATE if duplicate else Outcome.ACCEPTED
        return outcome, answers.accepted(events, receipts)

    def _ignore(self, door: Door, key: str, taken: Ignored) -> tuple[Outcome, Response]:
        self._log.info("request_ignored", key=f"{door.name}/{key}", reason=taken.reason)
        return Outcome.IGNORED, answers.ignored(taken)

    def _refuse(
        self, door: str, request: BaseRequest, refusal: Refused
    ) -> tuple[Outcome, Response]:
        self._refusals.write(
            door=door,
            status=refusal.status,
            reason=str(refusal) or type(refusal).__name__,
            peer=request.remote,
        )
        return Outcome.REFUSED, answers.refused(refusal)

    def _withhold(self, door: str, error: StorageError) -> tuple[Outcome, Response]:
        self._log.error("event_not_stored", door=door, reason=str(error))
        return Outcome.UNWRITABLE, answers.unwritable()

    def _fail(self, door: str) -> tuple[Outcome, Response]:
        error_id = str(uuid.uuid4())
        self._log.exception("request_failed", door=door, error_id=error_id)
        return Outcome.FAILED, answers.failed(error_id)


async def _invite(request: BaseRequest) -> None:
    """Tell a sender that asked first to send its body (RFC 9110, section 10.1.1)."""
    try:
        await request.writer.write(_INVITATION)
    except ConnectionError as error:
        raise BrokenBody("the sender left") from error
    # What was written is no part of the answer.
    request.writer.output_size = 0
