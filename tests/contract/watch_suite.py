"""What a reflector keeps, on the sandbox's API server and on the real one.

Subclasses have fixtures `home` and `watching`.
"""

import asyncio

import pytest
from kubernetes_home import Home, run_manifest
from kubernetes_suite import change, create
from watch_home import NOON, PATIENCE, STUCK_SECONDS, Watching


async def make(home: Home, name: str, state: str, **labels: str) -> None:
    await create(home, run_manifest(name, state=state, **labels))


async def become(home: Home, name: str, state: str) -> None:
    await change(home, name, {"metadata": {"labels": {"state": state}}})


class WatchSuite:
    async def test_what_is_there_is_told_and_then_each_change(
        self, home: Home, watching: Watching
    ) -> None:
        await make(home, "one", "new")
        async with watching.watched():
            await watching.until_said("one new")
            await make(home, "two", "new")
            await watching.until_said("two new")
            await become(home, "one", "ready")
            await watching.until_said("one ready")
            await home.remove("one")
            said = await watching.until_said("one gone")
        assert said == ["one new", "two new", "one ready", "one gone"]

    async def test_a_change_that_says_nothing_new_is_not_told(
        self, home: Home, watching: Watching
    ) -> None:
        async with watching.watched():
            await make(home, "one", "new")
            await watching.until_said("one new")
            await change(home, "one", {"metadata": {"labels": {"team": "orders"}}})
            await make(home, "two", "new")
            said = await watching.until_said("two new")
        assert said == ["one new", "two new"]
        assert watching.counted("events_total") == 2

    async def test_who_comes_after_tells_what_was_missed_and_nothing_twice(
        self, home: Home, watching: Watching
    ) -> None:
        await make(home, "one", "new")
        async with watching.watched():
            await watching.until_said("one new")
        await become(home, "one", "ready")
        await make(home, "two", "new")

        watching.memory = watching.fresh_memory()
        async with watching.watched():
            said = await watching.until_said("one ready", "two new")

        assert sorted(said) == ["one new", "one ready", "two new"]

    async def test_what_was_deleted_unseen_is_told_by_who_remembers_it(
        self, home: Home, watching: Watching
    ) -> None:
        await make(home, "one", "new")
        await make(home, "two", "new")
        async with watching.watched():
            await watching.until_said("one new", "two new")
        await home.remove("one")

        async with watching.watched():
            said = await watching.until_said("one gone")

        assert said == ["one new", "two new", "one gone"]
        assert len(watching.memory) == 1

    async def test_another_object_of_the_same_name_is_another_object(
        self, home: Home, watching: Watching
    ) -> None:
        await make(home, "one", "new")
        async with watching.watched():
            await watching.until_said("one new")
        await home.remove("one")
        await make(home, "one", "new")
        await make(home, "two", "new")

        async with watching.watched():
            said = await watching.until_said("two new", "one gone")

        assert said == ["one new", "one gone", "one new", "two new"]

    async def test_what_waits_for_too_long_is_told_of_once(
        self, home: Home, watching: Watching
    ) -> None:
        await make(home, "one", "waiting")
        async with watching.watched() as reflector:
            await watching.until_said("one waiting")
            watching.time.now = NOON + STUCK_SECONDS - 1
            await reflector.tell_overdue()
            early = await watching.said()
            watching.time.now = NOON + STUCK_SECONDS
            await reflector.tell_overdue()
            await change(home, "one", {"metadata": {"labels": {"team": "orders"}}})
            await make(home, "two", "new")
            await watching.until_said("two new")
            await reflector.tell_overdue()
        assert early == ["one waiting"]
        assert sorted(await watching.said()) == ["one stuck", "one waiting", "two new"]

    async def test_what_waits_no_longer_is_not_told_of(
        self, home: Home, watching: Watching
    ) -> None:
        await make(home, "one", "waiting")
        async with watching.watched() as reflector:
            await watching.until_said("one waiting")
            await become(home, "one", "ready")
            await watching.until_said("one ready")
            watching.time.now = NOON + STUCK_SECONDS
            await reflector.tell_overdue()
        assert await watching.said() == ["one waiting", "one ready"]

    async def test_an_object_that_cannot_be_read_holds_up_no_other(
        self, home: Home, watching: Watching
    ) -> None:
        await make(home, "bad", "unreadable")
        await make(home, "good", "new")
        async with watching.watched():
            await watching.until_said("good new")
            await become(home, "bad", "ready")
            said = await watching.until_said("bad ready")
        assert said == ["good new", "bad ready"]
        assert watching.counted("unreadable_total") == 1

    async def test_what_happened_before_the_log_can_remember_is_not_told(
        self, home: Home, watching: Watching
    ) -> None:
        await make(home, "old", "new", at="2025-11-01")
        await make(home, "young", "new", at="2026-02-01")
        async with watching.watched():
            await watching.until_said("young new")
            await become(home, "old", "ready")
            await make(home, "last", "new")
            said = await watching.until_said("last new")
        assert said == ["young new", "last new"]

    async def test_many_objects_are_listed_in_pages(
        self, home: Home, watching: Watching, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hub.clients.kubernetes.client.PAGE_OBJECTS", 3)
        names = [f"run-{number}" for number in range(10)]
        for name in names:
            await make(home, name, "new")
        async with watching.watched():
            said = await watching.until_said(*[f"{name} new" for name in names])
        assert said == [f"{name} new" for name in names]

    async def test_short_watches_lose_nothing_between_them(
        self, home: Home, watching: Watching, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hub.clients.kubernetes.watching.WATCH_SECONDS", 1)
        names = [f"run-{number}" for number in range(20)]
        async with watching.watched():
            for name in names:
                await make(home, name, "new")
                await watching.until_said(f"{name} new")
            said = await watching.said()
        assert said == [f"{name} new" for name in names]

    async def test_a_kind_in_which_nothing_happens_is_heard_of_all_the_same(
        self, watching: Watching, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hub.clients.kubernetes.watching.WATCH_SECONDS", 1)
        heard = [0.0]
        async with watching.watched(), asyncio.timeout(PATIENCE):
            while len(heard) < 4:
                if (now := watching.counted("heard_timestamp_seconds")) > heard[-1]:
                    heard.append(now)
                await asyncio.sleep(0.01)

    async def test_a_token_that_was_swapped_is_taken_up_by_list_and_watch(
        self, home: Home, watching: Watching, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hub.clients.kubernetes.watching.WATCH_SECONDS", 1)
        await make(home, "one", "new")
        fresh = await home.next_token()
        async with watching.watched(), asyncio.timeout(PATIENCE):
            await watching.until_said("one new")
            home.clients.token_file.write_text("a-token-that-has-expired")
            while not watching.counted("interrupted_total", why="refused"):
                await asyncio.sleep(0.01)
            home.clients.token_file.write_text(fresh)
            await make(home, "two", "new")
            said = await watching.until_said("two new")
        assert said == ["one new", "two new"]
