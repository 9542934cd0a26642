"""What consumer groups may rely on, whichever engine keeps the log."""

import asyncio

from bus_home import SOON, Home, event, names


class SubscriptionsSuite:
    """Subclasses have a fixture `home`."""

    async def test_a_group_that_is_new_begins_at_the_first_event(self, home: Home) -> None:
        await home.bus.append([event("a"), event("b")])
        async with home.bus.subscribe("dispatch") as subscription:
            assert names(await subscription.poll(10)) == ["a", "b"]

    async def test_polls_continue_one_another_in_order(self, home: Home) -> None:
        await home.bus.append([event(str(number)) for number in range(5)])
        async with home.bus.subscribe("dispatch") as subscription:
            polls = [names(await subscription.poll(2)) for _ in range(3)]
        assert polls == [["0", "1"], ["2", "3"], ["4"]]

    async def test_a_poll_waits_for_an_event(self, home: Home) -> None:
        async with home.bus.subscribe("dispatch") as subscription:
            poll = asyncio.create_task(subscription.poll(10))
            await asyncio.wait([poll], timeout=0.1)
            assert not poll.done()
            await home.bus.append([event("push")])
            async with asyncio.timeout(SOON):
                assert names(await poll) == ["push"]

    async def test_an_append_wakes_every_poll_at_once(self, home: Home) -> None:
        """Thirty rounds in less than any polling that spares the disk would take."""
        async with asyncio.timeout(SOON):
            async with home.bus.subscribe("a") as first, home.bus.subscribe("b") as second:
                for number in range(30):
                    polls = asyncio.gather(first.poll(10), second.poll(10))
                    await home.bus.append([event(str(number))])
                    assert [names(one) for one in await polls] == [[str(number)]] * 2

    async def test_a_poll_that_is_cancelled_loses_nothing(self, home: Home) -> None:
        async with home.bus.subscribe("dispatch") as subscription:
            for number in range(20):
                poll = asyncio.create_task(subscription.poll(1))
                for _ in range(number):
                    await asyncio.sleep(0)
                poll.cancel()
                await asyncio.wait([poll])
                assert poll.cancelled()
            await home.bus.append([event("push")])
            async with asyncio.timeout(SOON):
                assert names(await subscription.poll(10)) == ["push"]

    async def test_what_was_not_committed_comes_again_after_a_restart(self, home: Home) -> None:
        await home.bus.append([event(name) for name in "abcd"])
        async with home.bus.subscribe("dispatch") as subscription:
            done = await subscription.poll(2)
            await subscription.poll(2)
            await subscription.commit(done)
        await home.restart()
        async with home.bus.subscribe("dispatch") as subscription:
            assert names(await subscription.poll(10)) == ["c", "d"]

    async def test_a_commit_covers_all_events_before_it(self, home: Home) -> None:
        await home.bus.append([event(name) for name in "abc"])
        async with home.bus.subscribe("dispatch") as subscription:
            records = await subscription.poll(10)
            await subscription.commit(records[1:2])
        await home.restart()
        async with home.bus.subscribe("dispatch") as subscription:
            assert names(await subscription.poll(10)) == ["c"]

    async def test_a_late_commit_takes_nothing_back(self, home: Home) -> None:
        await home.bus.append([event(name) for name in "abc"])
        async with home.bus.subscribe("dispatch") as subscription:
            records = await subscription.poll(10)
            await subscription.commit(records)
            await subscription.commit(records[:1])
            await subscription.commit([])
            assert await subscription.lag() == 0
        await home.bus.append([event("d")])
        async with home.bus.subscribe("dispatch") as subscription:
            assert names(await subscription.poll(10)) == ["d"]

    async def test_groups_do_not_see_each_others_commits(self, home: Home) -> None:
        await home.bus.append([event("a")])
        async with home.bus.subscribe("one") as one, home.bus.subscribe("other") as other:
            await one.commit(await one.poll(10))
            assert (await one.lag(), await other.lag()) == (0, 1)
            assert names(await other.poll(10)) == ["a"]

    async def test_lag_counts_what_is_not_committed(self, home: Home) -> None:
        async with home.bus.subscribe("dispatch") as subscription:
            assert await subscription.lag() == 0
            await home.bus.append([event(name) for name in "abc"])
            records = await subscription.poll(2)
            assert await subscription.lag() == 3
            await subscription.commit(records)
            assert await subscription.lag() == 1

    async def test_no_event_is_skipped_while_many_append(self, home: Home) -> None:
        wanted = {f"{appender}/{number}" for appender in range(10) for number in range(30)}

        async def append(appender: int) -> None:
            for number in range(30):
                await home.bus.append([event(f"{appender}/{number}")])

        async with home.bus.subscribe("dispatch") as subscription:
            appending = asyncio.gather(*(append(appender) for appender in range(10)))
            seen: list[str] = []
            async with asyncio.timeout(6 * SOON):
                while len(seen) < len(wanted):
                    seen += names(await subscription.poll(7))
            await appending
        assert sorted(seen) == sorted(wanted)
        for appender in range(10):
            own = [name for name in seen if name.startswith(f"{appender}/")]
            assert own == [f"{appender}/{number}" for number in range(30)]
