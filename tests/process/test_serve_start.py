"""`trunkline serve` does not start on what it cannot serve from, and says why."""

import errno
import os
import socket

from served import Served
from surroundings import KEY, Alone
from wire import ask, delivery, push

UNAVAILABLE = 69
SETTINGS = 78


async def refusal(hub: Served) -> tuple[int, str]:
    """Start it, and return how it ended and all that it said."""
    await hub.spawn()
    return await hub.ended(), hub.log.read_text()


async def test_a_second_process_on_the_same_file_is_refused_and_told_whose_it_is(
    alone: Alone,
) -> None:
    """T72."""
    async with alone() as hub:
        await hub.start()
        second = await hub.run("serve")
        assert second.code == UNAVAILABLE
        assert f"owned by process {hub.process.pid} on {socket.gethostname()}" in second.complained
        assert len(second.complained.splitlines()) == 1
        assert (await ask(hub.port, delivery("one", push(), key=KEY))).status == 202


async def test_a_file_whose_owner_was_killed_has_a_new_owner_at_once(alone: Alone) -> None:
    async with alone() as hub:
        await hub.start()
        await hub.kill()
        await hub.start()
        assert await hub.stop() == 0


async def test_wrong_settings_are_told_all_at_once(alone: Alone) -> None:
    async with alone(
        admin={"port": 99_999},
        dispatch={"concurrency": 0, "retries": 3},
        slack={"token": "xoxb-written-inline"},
    ) as hub:
        code, said = await refusal(hub)
    assert code == SETTINGS
    for place in ("admin.port", "dispatch.concurrency", "dispatch.retries", "slack.token"):
        assert [line for line in said.splitlines() if place in line], said
    assert "xoxb-written-inline" not in said
    assert "Traceback" not in said


async def test_secrets_that_are_not_there_are_told_all_at_once(alone: Alone) -> None:
    async with alone(
        slack={"token": {"variable": "NO_SUCH_VARIABLE"}},
        pagerduty={"routing_key": {"file": "no-such-file"}},
    ) as hub:
        code, said = await refusal(hub)
    assert code == SETTINGS
    assert "slack.token" in said
    assert "pagerduty.routing_key" in said


async def test_a_port_that_is_taken_is_named_and_the_file_is_let_go(alone: Alone) -> None:
    async with alone() as hub:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            said = await hub.run("serve", TRUNKLINE_RECEIVER__PORT=str(port))
        assert said.code == SETTINGS
        why = os.strerror(errno.EADDRINUSE)
        assert said.complained.splitlines()[-1] == f"cannot listen on 127.0.0.1 port {port}: {why}"
        await hub.start()


async def test_a_log_that_is_damaged_is_refused_and_left_as_it_is(alone: Alone) -> None:
    """T73."""
    async with alone() as hub:
        await hub.start()
        assert await hub.stop() == 0
        file = hub.folder / "state" / "trunkline.db"
        damaged = bytearray(file.read_bytes())
        damaged[8192:12288] = b"\xff" * 4096
        file.write_bytes(damaged)
        code, said = await refusal(hub)
        assert code == UNAVAILABLE
        assert "is damaged" in said.splitlines()[-1]
        assert file.read_bytes() == damaged


async def test_a_handlers_module_that_cannot_be_used_is_told(alone: Alone) -> None:
    async with alone(dispatch={"handlers_module": "no_such_module"}) as hub:
        code, said = await refusal(hub)
    assert code == SETTINGS
    assert "dispatch.handlers_module: no_such_module" in said


async def test_settings_that_are_checked_and_found_good_start(alone: Alone) -> None:
    async with alone() as hub:
        checked = await hub.run("check-config", "--json")
        assert checked.code == 0
        assert checked.documents[0]["doors"]["github"] == "open, keys: 1"
        await hub.start()
        assert await hub.stop() == 0
