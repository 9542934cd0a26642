"""What a log on one machine promises beyond `bus_suite.py`.

It knows every event for ever, has one order for all of them, and takes any text there is.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from bus_home import Home, event, everything, kinds, names
from bus_properties import FEW, check_answers_are_those_of_a_dictionary, check_envelopes_come_back
from bus_suite import FULL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.events.envelope import Envelope

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMED = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
ANY_ENVELOPES = st.builds(
    Envelope,
    id=NAMED,
    source=NAMED,
    type=NAMED,
    partitionkey=TEXT,
    data=st.binary(max_size=2000),
    subject=st.none() | TEXT,
    time=st.none() | TEXT,
    datacontenttype=TEXT,
    dataschema=st.none() | TEXT,
    traceparent=st.none() | TEXT,
    hubhops=st.integers(0, 8),
    hubkey=st.none() | TEXT,
    extensions=st.lists(st.tuples(NAMED, TEXT), max_size=4).map(tuple),
)
ANY_SEQUENCES = st.lists(ANY_ENVELOPES, max_size=8, unique_by=lambda one: (one.source, one.id))
ANY_LOG = settings(
    max_examples=60,
    deadline=None,
    database=None,
    # The engines' classes share these tests.
    suppress_health_check=[HealthCheck.differing_executors],
)


class OneMachineSuite:
    """Subclasses have a fixture `home`, and `open_home`, which makes a new one."""

    def open_home(self) -> AbstractAsyncContextManager[Home]:
        raise NotImplementedError

    async def test_a_receipt_and_a_record_name_the_same_position(self, home: Home) -> None:
        receipts = await home.bus.append([event("first"), event("second")])
        await home.restart()
        assert [one.position for one in await everything(home)] == [
            one.position for one in receipts
        ]

    async def test_an_event_is_known_after_a_restart(self, home: Home) -> None:
        (first,) = await home.bus.append([event("push")])
        await home.restart()
        (much_later,) = await home.bus.append([event("push")])
        (other,) = await home.bus.append([event("push", b"2")])
        assert kinds([first, much_later, other]) == ["Stored", "Duplicate", "Conflict"]
        assert first.position == much_later.position == other.position
        assert names(await everything(home)) == ["push"]

    async def test_an_attribute_without_characters_comes_back(self, home: Home) -> None:
        bare = replace(FULL, extensions=(("empty", ""),))
        await home.bus.append([bare])
        await home.restart()
        assert [record.envelope for record in await everything(home)] == [bare]

    @ANY_LOG
    @given(ANY_SEQUENCES)
    def test_any_envelope_comes_back_as_it_was(self, events: list[Envelope]) -> None:
        async def check() -> None:
            async with self.open_home() as home:
                await check_envelopes_come_back(home, events)
                assert [record.envelope for record in await everything(home)] == events
                assert set(kinds(await home.bus.append(events))) <= {"Duplicate"}

        asyncio.run(check())

    @ANY_LOG
    @given(st.lists(st.lists(FEW, max_size=4) | st.just("restart"), max_size=12))
    def test_any_mix_of_sequences_is_answered_as_by_a_dictionary(
        self, steps: list[list[Envelope] | str]
    ) -> None:
        async def check() -> None:
            async with self.open_home() as home:
                await check_answers_are_those_of_a_dictionary(home, steps)

        asyncio.run(check())
