"""What every log must do, whichever engine keeps it.

An engine joins by subclassing `BusSuite` with a home of its own, and by running the properties of
`bus_properties.py`: see `test_bus.py` and `test_bus_kafka.py`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from bus_home import MIB, SOURCE, Home, event, everything, kinds, names, noise
from bus_reading import ReadingSuite
from bus_subscriptions import SubscriptionsSuite

from hub.errors import Conflicting, Malformed
from hub.events.envelope import Envelope

KIB = 1024
FULL = Envelope(
    id="72d3162e-cc78-11e3-81ab-4c9367dc0958",
    source=SOURCE,
    type="com.github.pull_request.opened",
    partitionkey="company/payments",
    data=b'{"number": 7}',
    subject="pull/7",
    time="2026-01-02T03:04:05.678+09:00",
    datacontenttype="application/vnd.github+json",
    dataschema="https://schemas.example.com/pull_request",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    hubhops=3,
    hubkey="github/2026-a",
    extensions=(("zone", "eu"), ("githubevent", 'pull "request"')),
)


class AppendingSuite:
    """Subclasses have a fixture `home`."""

    async def test_what_was_acknowledged_is_there_after_a_restart(self, home: Home) -> None:
        receipts = await home.bus.append([event("first"), event("second")])
        await home.restart()
        assert kinds(receipts) == ["Stored", "Stored"]
        assert names(await everything(home)) == ["first", "second"]

    async def test_every_attribute_comes_back_as_it_was(self, home: Home) -> None:
        bare = event("bare")
        await home.bus.append([FULL, bare])
        await home.restart()
        assert [record.envelope for record in await everything(home)] == [FULL, bare]

    @pytest.mark.parametrize("size", [0, 1, 256 * KIB, 256 * KIB + 1, MIB, 25 * MIB])
    @pytest.mark.parametrize("body", [bytes, noise])
    async def test_a_body_comes_back_byte_for_byte(
        self, home: Home, size: int, body: Callable[[int], bytes]
    ) -> None:
        data = body(size)
        await home.bus.append([event("large", data), event("small")])
        await home.restart()
        found = {record.envelope.id: record.envelope.data for record in await everything(home)}
        assert found == {"large": data, "small": b"{}"}

    async def test_the_same_event_again_is_a_duplicate(self, home: Home) -> None:
        (first,) = await home.bus.append([event("push")])
        (again,) = await home.bus.append([event("push")])
        assert kinds([first, again]) == ["Stored", "Duplicate"]
        assert first.position == again.position
        assert names(await everything(home)) == ["push"]

    async def test_an_event_that_a_rotated_key_verified_is_the_same_event(self, home: Home) -> None:
        await home.bus.append([FULL])
        assert kinds(await home.bus.append([replace(FULL, hubkey="github/b")])) == ["Duplicate"]
        assert [record.envelope for record in await everything(home)] == [FULL]

    async def test_another_body_under_the_same_id_is_a_conflict_and_the_first_stands(
        self, home: Home
    ) -> None:
        (first,) = await home.bus.append([event("push", b"1")])
        (other,) = await home.bus.append([event("push", b"2")])
        assert (*kinds([other]), other.position) == ("Conflict", first.position)
        assert [record.envelope.data for record in await everything(home)] == [b"1"]

    async def test_a_large_body_is_compared_to_its_last_byte(self, home: Home) -> None:
        data = noise(2 * MIB)
        await home.bus.append([event("large", data)])
        assert kinds(await home.bus.append([event("large", data)])) == ["Duplicate"]
        assert kinds(await home.bus.append([event("large", data[:-1] + b"?")])) == ["Conflict"]
        assert [record.envelope.data for record in await everything(home)] == [data]

    async def test_the_same_id_of_another_source_is_another_event(self, home: Home) -> None:
        theirs = event("push", source="https://api.github.com/repos/company/ledger")
        assert kinds(await home.bus.append([event("push"), theirs])) == ["Stored", "Stored"]
        assert kinds(await home.bus.append([theirs])) == ["Duplicate"]

    async def test_an_event_that_comes_twice_in_a_sequence_is_stored_once(self, home: Home) -> None:
        twice = [event("a"), event("b"), event("a")]
        receipts = await home.bus.append(twice)
        assert kinds(receipts) == ["Stored", "Stored", "Duplicate"]
        assert receipts[2].position == receipts[0].position
        assert kinds(await home.bus.append(twice)) == ["Duplicate"] * 3
        assert names(await everything(home)) == ["a", "b"]

    async def test_a_sequence_that_contradicts_itself_is_left_out(self, home: Home) -> None:
        with pytest.raises(Conflicting):
            await home.bus.append([event("good"), event("a", b"1"), event("a", b"2")])
        assert await everything(home) == []

    async def test_a_conflict_in_a_sequence_leaves_all_of_it_out(self, home: Home) -> None:
        (taken,) = await home.bus.append([event("taken", b"1")])
        receipts = await home.bus.append([event("new"), event("taken", b"2"), event("newer")])
        assert kinds(receipts) == ["Conflict"] * 3
        assert {receipt.position for receipt in receipts} == {taken.position}
        assert names(await everything(home)) == ["taken"]
        assert kinds(await home.bus.append([event("new"), event("newer")])) == ["Stored", "Stored"]

    async def test_known_events_in_a_sequence_do_not_keep_new_ones_out(self, home: Home) -> None:
        await home.bus.append([event("known"), event("known too")])
        receipts = await home.bus.append(
            [event("new"), event("known"), event("newer"), event("known too")]
        )
        assert kinds(receipts) == ["Stored", "Duplicate", "Stored", "Duplicate"]
        assert names(await everything(home)) == ["known", "known too", "new", "newer"]

    async def test_an_event_appended_many_times_at_once_is_stored_once(self, home: Home) -> None:
        answers = await asyncio.gather(*(home.bus.append([event("push")]) for _ in range(50)))
        assert sorted(kind for one in answers for kind in kinds(one)) == [
            *["Duplicate"] * 49,
            "Stored",
        ]
        assert names(await everything(home)) == ["push"]

    async def test_of_bodies_that_race_for_an_id_one_wins(self, home: Home) -> None:
        bodies = [str(number).encode() for number in range(20)]
        answers = await asyncio.gather(*(home.bus.append([event("id", one)]) for one in bodies))
        (winner,) = [one for one, answer in zip(bodies, answers, strict=True) if _stored(answer)]
        assert [record.envelope.data for record in await everything(home)] == [winner]

    async def test_appending_nothing_changes_nothing(self, home: Home) -> None:
        assert list(await home.bus.append([])) == []
        assert await everything(home) == []

    @pytest.mark.parametrize(
        "bad",
        [
            replace(FULL, id="\ud800"),
            replace(FULL, source="\ud800"),
            replace(FULL, partitionkey="\ud800"),
            replace(FULL, subject="\ud800"),
        ],
        ids=["id", "source", "partitionkey", "subject"],
    )
    async def test_an_attribute_that_is_no_text_is_refused(self, home: Home, bad: Envelope) -> None:
        with pytest.raises(Malformed):
            await home.bus.append([event("good"), bad])
        assert await everything(home) == []

    async def test_a_healthy_log_passes_its_check(self, home: Home) -> None:
        await home.bus.check()
        await home.bus.append([event("push")])
        await home.bus.check()
        assert names(await everything(home)) == ["push"]


def _stored(receipts: object) -> bool:
    return "Stored" in str(receipts)


class BusSuite(AppendingSuite, SubscriptionsSuite, ReadingSuite):
    """All of it that can be told from one home."""
