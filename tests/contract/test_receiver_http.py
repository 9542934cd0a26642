"""The receiver against senders that break HTTP, by accident or on purpose."""

import asyncio
import contextlib
import gzip
import logging
import random
import zlib
from dataclasses import replace
from pathlib import Path

import aiohttp.http_parser
import aiohttp.web_protocol
import pytest
from aiohttp.web import RequestHandler, Server
from receiver_wire import (
    PATIENCE_SECONDS,
    PUSH,
    chunked,
    github,
    github_headers,
    receiving,
    request,
    signature,
)

from hub.events.envelope import Envelope
from hub.receiver.doors import Door
from hub.receiver.limits import Limits
from hub.receiver.metrics import Mishap, Outcome
from hub.sources.interface import Headers

HEAD = b"POST /webhooks/github HTTP/1.1\r\nHost: hub\r\n"
SIGNED = f"X-Hub-Signature-256: {signature(PUSH)}\r\n".encode()


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(
            HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="CL and TE",
        ),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            id="TE and CL",
        ),
        pytest.param(
            HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", id="two lengths"
        ),
        pytest.param(
            HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", id="length twice"
        ),
        pytest.param(HEAD + b"Content-Length: 3, 3\r\n\r\nabc", id="list of lengths"),
        pytest.param(HEAD + b"Content-Length: -3\r\n\r\nabc", id="negative length"),
        pytest.param(HEAD + b"Content-Length: 0x3\r\n\r\nabc", id="hexadecimal length"),
        pytest.param(HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", id="endless length"),
        pytest.param(HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n", id="bare LF"),
        pytest.param(HEAD + b"X-GitHub-Event: a\r\n b\r\nContent-Length: 0\r\n\r\n", id="obs-fold"),
        pytest.param(HEAD + b"X-GitHub-Event: a\x00b\r\n\r\n", id="NUL in a value"),
        pytest.param(HEAD + b"X-GitHub\x00Event: a\r\n\r\n", id="NUL in a name"),
        pytest.param(b"POST /\x00 HTTP/1.1\r\nHost: hub\r\n\r\n", id="NUL in the path"),
        pytest.param(HEAD + b"X-GitHub-Event : a\r\n\r\n", id="space before the colon"),
        pytest.param(b"POST /webhooks/github HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="bad chunk size"),
        pytest.param(HEAD + b"X-Long: " + b"x" * 9000 + b"\r\n\r\n", id="over-long field"),
        pytest.param(HEAD + b"X-Hub-Signature-256: sha256=" + b"0" * 9000 + b"\r\n\r\n", id="T7"),
        pytest.param(
            b"POST /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: hub\r\n\r\n", id="over-long path"
        ),
        pytest.param(HEAD + b"X: y\r\n" * 200 + b"\r\n", id="too many fields"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(b"GET\r\n\r\n", id="no HTTP at all"),
    ],
)
async def test_what_two_readers_could_read_in_two_ways_is_refused_and_closed(
    tmp_path: Path, octets: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """T7, T15: in the hub's own words, and without a line for each in aiohttp's log."""
    with caplog.at_level(logging.DEBUG, "aiohttp"):
        async with receiving(tmp_path) as world, world.wire() as wire:
            answer = await wire.exchange(octets)
            cut = await wire.is_cut()
            stored = await world.events()

    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert cut
    assert stored == []
    assert world.counted.mishaps == [Mishap.UNPARSABLE]
    assert caplog.records == []


@pytest.mark.parametrize(
    "name",
    ["X-Hub-Signature-256", "X-GitHub-Delivery", "X-GitHub-Event", "Content-Type", "Authorization"],
)
async def test_a_header_that_decides_something_may_not_come_twice(
    tmp_path: Path, name: str
) -> None:
    """T7."""
    value = dict(github_headers()).get(name, "x")
    headers = [(n, v) for n, v in github_headers() if n != name]
    async with receiving(tmp_path) as world:
        answer = await world.exchange(
            request("/webhooks/github", PUSH, [*headers, (name, value), (name.lower(), value)])
        )

        assert await world.events() == []
    assert answer.status == 400


async def test_a_header_of_no_importance_may_come_twice_and_in_any_bytes(tmp_path: Path) -> None:
    """Proxies add to `Via` and `X-Forwarded-For`, and people have names."""
    extra = [("Via", "a"), ("Via", "b"), ("User-Agent", "Käse"), ("X-Sent-By", "\u65e5\u672c")]
    async with receiving(tmp_path) as world:
        answer = await world.exchange(
            request("/webhooks/github", PUSH, [*github_headers(), *extra])
        )

    assert answer.status == 202


@pytest.mark.parametrize("raw", [b"\xc3\xa9", b"\xff\xfe", "sha256=é".encode(), b"\x80" * 71])
async def test_a_signature_that_is_not_ascii_is_refused_and_nothing_breaks(
    tmp_path: Path, raw: bytes
) -> None:
    """T7."""
    head = HEAD + b"X-Hub-Signature-256: " + raw + b"\r\nContent-Length: 2\r\n\r\n{}"
    async with receiving(tmp_path) as world:
        answer = await world.exchange(head)

    assert answer.status == 400
    assert world.counted.answers[0][1] is Outcome.REFUSED


def deflated(body: bytes) -> bytes:
    return zlib.compress(body)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", gzip.compress(PUSH), id="gzip"),
        pytest.param("GZIP", gzip.compress(PUSH), id="GZIP"),
        pytest.param("deflate", deflated(PUSH), id="deflate"),
        pytest.param("br", b"\x0b\x02\x80", id="brotli"),
        pytest.param("zstd", b"\x28\xb5\x2f\xfd", id="zstd"),
        pytest.param("gzip", b"this is no gzip", id="corrupt"),
        pytest.param("identity, gzip", gzip.compress(PUSH), id="list"),
        pytest.param("gzip", gzip.compress(b"\0" * 20_000_000), id="bomb"),
    ],
)
async def test_a_compressed_body_is_refused_unread(
    tmp_path: Path, encoding: str, body: bytes
) -> None:
    """T11: the signature is right, so that only the encoding can be the reason."""
    headers = [*github_headers(body), ("Content-Encoding", encoding)]
    async with receiving(tmp_path) as world, world.wire() as wire:
        answer = await wire.exchange(request("/webhooks/github", body, headers))
        cut = await wire.is_cut()

    assert answer.status == 415
    assert cut
    assert world.counted.answers == [("github", Outcome.REFUSED, 415, 0)]


async def test_identity_is_no_encoding(tmp_path: Path) -> None:
    headers = [*github_headers(), ("Content-Encoding", "identity")]
    async with receiving(tmp_path) as world:
        answer = await world.exchange(request("/webhooks/github", PUSH, headers))

    assert answer.status == 202


async def test_a_compressed_body_reaches_its_reader_as_it_was_sent(tmp_path: Path) -> None:
    """T11: nothing inflates it on the way, not even where no header says that it is compressed."""
    bomb = gzip.compress(b"\0" * 20_000_000)
    seen: list[int] = []

    def take(headers: Headers, body: bytes, *, hubkey: str) -> tuple[Envelope, ...]:
        seen.append(len(body))
        return (Envelope(id="1", source="/s", type="t", partitionkey="k", data=b"{}"),)

    async with receiving(tmp_path, change_door=lambda door: replace(door, take=take)) as world:
        await world.exchange(github(bomb))

    assert seen == [len(bomb)]


async def test_a_length_that_promises_too_little_is_a_bad_request(tmp_path: Path) -> None:
    """T14."""
    async with receiving(tmp_path) as world, world.wire() as wire:
        answer = await wire.exchange(
            request("/webhooks/github", PUSH, github_headers(), length=len(PUSH) - 10)
        )

        assert await wire.is_cut()
        assert await world.events() == []
    assert answer.status == 400


async def test_a_length_that_promises_too_much_times_out(tmp_path: Path) -> None:
    """T14."""
    limits = Limits(body_seconds=0.1, unread_seconds=0.1)
    async with receiving(tmp_path, limits=limits) as world, world.wire() as wire:
        answer = await wire.exchange(
            request("/webhooks/github", PUSH, github_headers(), length=len(PUSH) + 1)
        )

        assert await wire.is_cut()
        assert await world.events() == []
    assert answer.status == 408


async def test_chunks_that_go_wrong_half_way_are_answered_at_once(tmp_path: Path) -> None:
    """T14, T15: the reader of the body does not wait for its deadline."""
    head, _, _ = chunked("/webhooks/github", PUSH, github_headers()).partition(b"\r\n\r\n")
    async with receiving(tmp_path, limits=Limits(body_seconds=60)) as world, world.wire() as wire:
        await wire.send(head + b'\r\n\r\n5\r\n{"a":\r\n')
        await wire.send(b"nonsense\r\n")
        answer = await wire.answer()

        assert await wire.is_cut()
        assert await world.events() == []
    assert answer.status == 400


async def test_a_body_in_chunks_is_verified_like_any_other(tmp_path: Path) -> None:
    async with receiving(tmp_path) as world:
        answer = await world.exchange(
            chunked("/webhooks/github", PUSH, github_headers(), chunk=100)
        )
        (event,) = await world.events()

    assert answer.status == 202
    assert event.data == PUSH


async def test_a_sender_that_asks_before_it_sends_is_told_to_go_on(tmp_path: Path) -> None:
    """RFC 9110 section 10.1.1; curl asks for every body beyond a megabyte."""
    octets = request("/webhooks/github", PUSH, [*github_headers(), ("Expect", "100-continue")])
    head, _, body = octets.partition(b"\r\n\r\n")
    async with receiving(tmp_path) as world, world.wire() as wire:
        await wire.send(head + b"\r\n\r\n")
        interim = await wire.reader.readuntil(b"\r\n\r\n")
        answer = await wire.exchange(body)

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.status == 202


async def test_a_sender_that_asks_with_too_large_a_body_is_told_not_to_go_on(
    tmp_path: Path,
) -> None:
    """T13."""
    headers = [*github_headers(), ("Expect", "100-continue")]
    async with receiving(tmp_path) as world:
        answer = await world.exchange(
            request("/webhooks/github", b"", headers, length=25 * 1024 * 1024 + 1)
        )

    assert answer.status == 413


async def test_requests_sent_in_one_breath_are_answered_in_order(tmp_path: Path) -> None:
    octets = b"".join(github(delivery=f"d-{number}") for number in range(50))
    async with receiving(tmp_path) as world, world.wire() as wire:
        await wire.send(octets)
        answers = [await wire.answer() for _ in range(50)]

    assert [answer.content["id"] for answer in answers] == [f"d-{number}" for number in range(50)]


async def test_a_bug_is_a_500_whose_id_is_in_the_log(tmp_path: Path) -> None:
    def take(headers: Headers, body: bytes, *, hubkey: str) -> tuple[Envelope, ...]:
        raise ZeroDivisionError

    def broken(door: Door) -> Door:
        return replace(door, take=take)

    async with receiving(tmp_path, change_door=broken) as world:
        answer = await world.exchange(github())

    (line,) = world.lines.entries
    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.content["instance"] == f"urn:uuid:{line['error_id']}"
    assert line["exc_info"] is True
    assert world.counted.answers[0][1] is Outcome.FAILED
    assert "ZeroDivision" not in answer.body.decode()


async def test_the_server_does_not_say_what_it_is_made_of(tmp_path: Path) -> None:
    async with receiving(tmp_path) as world:
        answers = [await world.exchange(octets) for octets in (github(), b"nonsense\r\n\r\n")]

    assert {answer.headers["server"] for answer in answers} == {"trunkline"}


async def test_no_bytes_whatsoever_make_a_500(tmp_path: Path) -> None:
    """T7, T14, T15: a good request, spoilt in every way that chance finds."""
    chance = random.Random(20301122)  # repeatable, not secret
    good = request("/webhooks/github", PUSH[:500], github_headers(PUSH[:500]))
    good_chunked = chunked("/webhooks/github", PUSH[:500], github_headers(), chunk=100)
    limits = Limits(
        header_seconds=0.1, body_seconds=0.1, idle_seconds=0.1, unread_seconds=0.1, connections=400
    )
    async with receiving(tmp_path, limits=limits) as world:

        async def send(octets: bytes) -> None:
            async with world.wire() as wire:
                await wire.send(octets)
                async with asyncio.timeout(PATIENCE_SECONDS):
                    with contextlib.suppress(ConnectionResetError):
                        await wire.reader.read()

        spoilt = [spoil(chance.choice([good, good_chunked]), chance) for _ in range(300)]
        await asyncio.gather(*(send(octets) for octets in spoilt))
        after = await world.exchange(github())

    assert after.status == 202
    assert {answer[1] for answer in world.counted.answers} <= {Outcome.ACCEPTED, Outcome.REFUSED}


def spoil(octets: bytes, chance: random.Random) -> bytes:
    """Flip, drop, double or insert a few bytes, mostly in the headers."""
    spoilt = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(min(len(spoilt), 350))
        change = chance.choice(["flip", "drop", "double", "insert"])
        if change == "flip":
            spoilt[at] ^= 1 << chance.randrange(8)
        elif change == "drop":
            del spoilt[at : at + chance.randint(1, 30)]
        elif change == "double":
            spoilt[at:at] = spoilt[at : at + chance.randint(1, 30)]
        else:
            spoilt[at:at] = chance.choice([b"\r\n", b"\n", b"\0", b" ", b":", b"\xff", b"9" * 25])
    return bytes(spoilt)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: hub\r\n\r\n", id="asterisk form"),
        pytest.param(b"CONNECT hub:80 HTTP/1.1\r\nHost: hub\r\n\r\n", id="CONNECT"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
    ],
)
async def test_what_a_proxy_or_another_protocol_would_say_is_refused(
    tmp_path: Path, octets: bytes
) -> None:
    async with receiving(tmp_path, limits=Limits(unread_seconds=0.1)) as world:
        answer = await world.exchange(octets)

    assert answer.status in {400, 404}


async def test_the_absolute_form_of_a_path_is_the_same_path(tmp_path: Path) -> None:
    """RFC 9112 section 3.2.2 demands it of every server."""
    async with receiving(tmp_path) as world:
        answer = await world.exchange(
            request("http://hub.example/webhooks/github", PUSH, github_headers())
        )

    assert answer.status == 202


async def test_an_offer_to_change_the_protocol_is_not_taken_up(tmp_path: Path) -> None:
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    async with receiving(tmp_path) as world, world.wire() as wire:
        first = await wire.exchange(
            request("/webhooks/github", PUSH, [*github_headers(), *upgrade])
        )
        second = await wire.exchange(github(delivery="d-2"))

    assert (first.status, second.status) == (202, 202)


async def test_the_private_parts_of_aiohttp_that_we_lean_on_are_still_there() -> None:
    """Fails with a new aiohttp that moved them, before anything subtler does."""

    async def nothing(_: object) -> None: ...

    server = Server(nothing)  # type: ignore[arg-type]
    connection = RequestHandler(server, loop=server._loop)

    assert connection._request_count == 0
    assert connection._waiter is None
    assert connection._current_request is None
    assert len(connection._messages) == 0


def test_the_parser_written_in_c_is_the_one_in_use() -> None:
    """The one in Python is slower, and had holes of its own (CVE-2024-52304)."""
    assert aiohttp.http_parser.HttpRequestParser.__module__ == "aiohttp._http_parser"
    assert aiohttp.web_protocol.HttpRequestParser.__module__ == "aiohttp._http_parser"
