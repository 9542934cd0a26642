"""The receiver and large bodies: caps, the memory they share, and reading beside the loop."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from receiver_wire import (
    BEARER_KEY,
    PUSH,
    chunked,
    github,
    github_headers,
    receiving,
    request,
)

from hub.receiver.doors import Door
from hub.receiver.limits import BODY_BYTES, GITHUB_BODY_BYTES, Limits


def large_push(size: int) -> bytes:
    """A push of exactly this many bytes."""
    push = json.loads(PUSH)
    push["padding"] = ""
    empty = json.dumps(push).encode()
    push["padding"] = "x" * (size - len(empty))
    body = json.dumps(push).encode()
    assert len(body) == size
    return body


def with_cap(octets: int) -> Callable[[Door], Door]:
    return lambda door: replace(door, body_bytes=octets)


@pytest.mark.parametrize(
    ("cap", "write"),
    [
        pytest.param(
            GITHUB_BODY_BYTES,
            lambda cap: request("/webhooks/github", b"", github_headers(), length=cap + 1),
            id="GitHub by length",
        ),
        pytest.param(
            BODY_BYTES,
            lambda cap: request("/events", b"", length=cap + 1),
            id="another door by length",
        ),
        pytest.param(
            BODY_BYTES,
            lambda cap: chunked("/webhooks/argocd", b"x" * (cap + 1)),
            id="another door by count",
        ),
    ],
)
async def test_a_body_beyond_the_cap_is_413_and_the_connection_closes(
    tmp_path: Path, cap: int, write: Callable[[int], bytes]
) -> None:
    """T13: one byte too many, told or counted."""
    limits = Limits(unread_seconds=0.2)
    async with receiving(tmp_path, limits=limits) as world, world.wire() as wire:
        answer = await wire.exchange(write(cap))

        assert await wire.is_cut()
    assert answer.status == 413
    assert answer.headers["connection"] == "close"
    assert str(cap) in answer.content["detail"]


async def test_a_body_beyond_githubs_cap_is_counted_in_chunks_too(tmp_path: Path) -> None:
    """T13."""
    body = b"x" * (GITHUB_BODY_BYTES + 1)
    async with receiving(tmp_path) as world, world.wire() as wire:
        answer = await wire.exchange(chunked("/webhooks/github", body, github_headers()))

    assert answer.status == 413


async def test_a_body_exactly_at_the_cap_passes(tmp_path: Path) -> None:
    """T12."""
    async with receiving(tmp_path, change_door=with_cap(len(PUSH))) as world:
        plain = await world.exchange(github())
        in_chunks = await world.exchange(chunked("/webhooks/github", PUSH, github_headers()))

    assert (plain.status, in_chunks.status) == (202, 202)


async def test_25_mib_pass_byte_for_byte_while_neighbours_are_answered(tmp_path: Path) -> None:
    """T12: neighbours knock until the large one is answered, and none waits for it."""
    body = large_push(GITHUB_BODY_BYTES)
    async with receiving(tmp_path) as world, world.wire() as wire, world.wire() as neighbour:
        large = asyncio.ensure_future(wire.exchange(github(body, delivery="large")))
        answered = 0
        while not large.done():
            answer = await neighbour.exchange(github(delivery=f"small-{answered}"))
            assert answer.status == 202
            answered += 1
        answer = await large
        (event,) = await world.bus.find("large")

    assert answer.status == 202
    assert event.envelope.data == body
    assert answered > 5


async def test_a_large_body_is_judged_like_a_small_one(tmp_path: Path) -> None:
    """T5, T20: beside the event loop the verdicts are the same."""
    limits = Limits(inline_bytes=1000)
    broken = b'{"repository": ' + b"[" * 5000
    async with receiving(tmp_path, limits=limits) as world:
        good = await world.exchange(github())
        forged = await world.exchange(github(key="x" * 32, delivery="d-2"))
        malformed = await world.exchange(github(broken, delivery="d-3"))
        ping = await world.exchange(github(PUSH, event="ping", delivery="d-4"))
        (event,) = await world.events()

    assert [good.status, forged.status, malformed.status, ping.status] == [202, 401, 400, 200]
    assert event.data == PUSH
    assert event.hubkey == "github/github-1"
    assert "JSON" in malformed.content["detail"]


async def test_events_of_a_large_body_keep_the_data_that_is_their_own(tmp_path: Path) -> None:
    """T54: a batch, in which no event's data is the body; one has none at all."""
    event = {"specversion": "1.0", "source": "/someone", "type": "com.example.a"}
    batch = [{**event, "id": "a", "data": {"one": 1}}, {**event, "id": "b"}]
    headers = [
        ("Content-Type", "application/cloudevents-batch+json"),
        ("Authorization", f"Bearer {BEARER_KEY}"),
    ]
    octets = request("/events", json.dumps(batch).encode(), headers)
    folders = [tmp_path / "inline", tmp_path / "aside"]
    stored = []
    for folder, limits in zip(folders, [Limits(), Limits(inline_bytes=10)], strict=True):
        folder.mkdir()
        async with receiving(folder, limits=limits) as world:
            assert (await world.exchange(octets)).status == 202
            stored.append(await world.events())

    assert stored[0] == stored[1]
    assert [json.loads(event.data or b"null") for event in stored[1]] == [{"one": 1}, None]


async def test_a_large_body_that_cannot_be_read_in_time_is_503(tmp_path: Path) -> None:
    limits = Limits(inline_bytes=1000, aside_seconds=0.001)
    async with receiving(tmp_path, limits=limits) as world:
        answer = await world.exchange(github())

        assert await world.events() == []
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_when_the_memory_for_bodies_is_lent_out_the_next_is_told_to_come_back(
    tmp_path: Path,
) -> None:
    """C1: what counts is what has come, over all connections."""
    limits = Limits(bodies_bytes=len(PUSH) + 1000)
    async with receiving(tmp_path, limits=limits) as world:
        world.bus.open.clear()
        async with world.wire() as first:
            await first.send(github())
            await world.bus.waiting.wait()
            refused = await world.exchange(github(delivery="d-2"))
            small = await world.exchange(github(b'{"zen": "x"}', event="ping"))
            world.bus.open.set()
            kept = await first.answer()
        after = await world.exchange(github(delivery="d-2"))

    assert refused.status == 503
    assert int(refused.headers["retry-after"]) > 0
    assert (small.status, kept.status, after.status) == (200, 202, 202)


async def test_a_length_that_is_only_announced_takes_no_memory(tmp_path: Path) -> None:
    """C1: a few idle uploads must not shut the door for others."""
    limits = Limits(bodies_bytes=2 * len(PUSH))
    async with receiving(tmp_path, limits=limits) as world, world.wire() as idle:
        await idle.send(request("/webhooks/github", b"{", github_headers(), length=10_000_000))
        answer = await world.exchange(github())

    assert answer.status == 202
