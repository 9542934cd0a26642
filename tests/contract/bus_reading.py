"""What people and pages may rely on when they look at the log, whichever engine keeps it."""

import pytest
from bus_home import Home, event, names

UUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
NEIGHBOUR = "72d3162e-ffff-11e3-81ab-4c9367dc0958"


class ReadingSuite:
    """Subclasses have a fixture `home`."""

    async def test_reading_begins_after_a_position(self, home: Home) -> None:
        receipts = await home.bus.append([event(name) for name in "abcd"])
        read = home.bus.read
        assert names(await read(after=None, limit=2)) == ["a", "b"]
        assert names(await read(after=receipts[1].position, limit=9)) == ["c", "d"]
        assert names(await read(after=receipts[3].position, limit=9)) == []

    async def test_recent_events_come_oldest_first(self, home: Home) -> None:
        await home.bus.append([event(name) for name in "abcd"])
        assert names(await home.bus.recent(2)) == ["c", "d"]
        assert names(await home.bus.recent(9)) == ["a", "b", "c", "d"]

    async def test_an_empty_log_has_no_recent_events(self, home: Home) -> None:
        assert list(await home.bus.recent(3)) == []
        assert list(await home.bus.find(UUID)) == []

    async def test_an_event_is_found_by_its_id_in_every_source(self, home: Home) -> None:
        other = event(UUID, source="https://api.github.com/repos/company/ledger")
        await home.bus.append([event(UUID), event("other"), other])
        records = await home.bus.find(UUID)
        assert [record.envelope for record in records] == [event(UUID), other]

    @pytest.mark.parametrize("length", [8, 9, 13, 35])
    async def test_an_event_is_found_by_the_beginning_of_its_id(
        self, home: Home, length: int
    ) -> None:
        await home.bus.append([event("another"), event(UUID), event("72d3162")])
        await home.restart()
        assert names(await home.bus.find(UUID[:length])) == [UUID]

    async def test_a_beginning_finds_all_that_begin_so(self, home: Home) -> None:
        await home.bus.append([event(UUID), event(NEIGHBOUR)])
        assert names(await home.bus.find(UUID[:9])) == [UUID, NEIGHBOUR]
        assert names(await home.bus.find(UUID[:10])) == [UUID]

    @pytest.mark.parametrize(
        "text", ["%", "72d3162_", "72d3162*", "", "72d3162", "2d3162e-", "72d3162e\ud800"]
    )
    async def test_nothing_is_found_by_a_pattern_or_a_part(self, home: Home, text: str) -> None:
        await home.bus.append([event(UUID)])
        assert names(await home.bus.find(text)) == []

    async def test_an_id_shorter_than_a_beginning_is_found_whole(self, home: Home) -> None:
        await home.bus.append([event("7"), event("77"), event("777")])
        assert names(await home.bus.find("77")) == ["77"]

    async def test_an_event_stands_with_the_time_it_was_received(self, home: Home) -> None:
        await home.bus.append([event("a")])
        await home.bus.append([event("b")])
        first, second = await home.bus.recent(2)
        assert 1_500_000_000 < first.received_at <= second.received_at
