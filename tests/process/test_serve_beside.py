"""The command line beside a hub that serves: what it says is what a person needs, and no more."""

import asyncio
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

from served import Done, Files, Served, eventually
from surroundings import KEY, Alone, in_world
from wire import Answer, ask, delivery, push

from hub.sandbox.faults import Status
from hub.sandbox.world import World

WRONG_USE = 2
UNAVAILABLE = 69
INTERRUPTED = 130

HOSTILE = "x\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\nreplay    trunkline replay evil"


@asynccontextmanager
async def at_work(folder: Path) -> AsyncIterator[tuple[World, Served, Files]]:
    async with in_world(folder) as (world, hub):
        await hub.start()
        world.connect(hub.url)
        await world.settled()
        async with hub.files() as files:
            yield world, hub, files
        assert await hub.stop() == 0


async def settled(world: World, files: Files) -> None:
    async def is_over() -> bool:
        before = await files.bus.recent(1)
        await world.settled()
        return await files.quiet() and before == await files.bus.recent(1)

    await eventually(is_over)


def lines_of(done: Done) -> list[str]:
    assert (done.code, done.complained) == (0, ""), done
    return done.said.splitlines()


async def test_the_story_of_an_event_can_be_read(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (world, hub, files):
        commit = await world.push(message="Charge the card only once")
        await settled(world, files)
        listed = (await hub.run("events", "--json", "--limit", "100")).documents
        pushed = next(one for one in listed if one["type"] == "com.github.push")
        story = lines_of(await hub.run("explain", pushed["id"]))
        told = (await hub.run("explain", pushed["id"][:8], "--json")).documents
        runs = (await hub.run("runs", "--json", "--handler", "bump_image_tag")).documents
        table = lines_of(await hub.run("runs", "--state", "done", "--limit", "3"))

    assert [int(one["position"]) for one in listed] == list(range(1, len(listed) + 1))
    assert (pushed["verified_by"], pushed["partitionkey"]) == (
        "github/sandbox",
        "company/order-service",
    )
    assert story[0] == f"com.github.push  {pushed['id']}"
    assert "  verified  by the key github/sandbox" in story
    assert "  - start_pipeline_run: done" in story
    assert "  - bump_image_tag: it is for other types of events" in story
    assert story[-1] == f"  replay    trunkline replay {pushed['id']}"
    assert any(commit.sha in line for line in story)
    (started,) = [one["run"] for one in told[0]["handlers"] if one["run"]]
    assert [step["name"] for step in started["steps"]] == ["tekton.start_pipeline_run"]
    assert [(run["state"], run["attempts"]) for run in runs] == [("done", 1)]
    assert table[0].split() == ["PLANNED", "HANDLER", "STATE", "TRIES", "EVENT", "DETAIL"]
    assert len(table) == 4


async def test_a_dead_letter_is_listed_rehearsed_and_replayed_with_the_command_it_names(
    tmp_path: Path,
) -> None:
    """T115."""
    async with at_work(tmp_path) as (world, hub, files):
        world.faults.fail("kubernetes", Status(status=403), method="POST")
        commit = await world.push()
        await settled(world, files)
        dead = lines_of(await hub.run("dead-letters"))
        (command,) = [line.split("  replay  ")[1] for line in dead if "  replay  " in line]
        replay = shlex.split(command)[1:]
        rehearsed = lines_of(await hub.run(*replay, "--dry-run"))
        await settled(world, files)
        assert world.cluster.pipeline_runs() == []
        world.faults.clear()
        replayed = lines_of(await hub.run(*replay))
        await eventually(files.quiet)
        await settled(world, files)
        again = lines_of(await hub.run(*replay))
        none = lines_of(await hub.run("dead-letters"))
        (run,) = world.cluster.pipeline_runs()

    assert "start_pipeline_run  dead after 1 attempts" in dead[0]
    assert rehearsed[0] == "start_pipeline_run would be done"
    assert rehearsed[1].startswith("    tekton.start_pipeline_run {")
    assert commit.sha in rehearsed[1]
    assert replayed == ["start_pipeline_run: ready to run again"]
    assert run["metadata"]["annotations"]["trunkline.dev/revision"] == commit.sha
    assert again == ["start_pipeline_run: left alone: it is done (--again runs it all the same)"]
    assert none == ["No dead letters."]


async def test_what_is_sent_by_hand_is_taken_like_githubs_and_twice_is_once(alone: Alone) -> None:
    async with alone() as hub:
        await hub.start()
        sent = lines_of(await hub.run("send", "github", "push", "--delivery", "by-hand"))
        twice = await hub.run("send", "github", "ping", "--json")
        async with hub.files() as files:
            await eventually(files.quiet)
            assert await files.event_ids() == ["by-hand"]
        explained = lines_of(await hub.run(*shlex.split(sent[1])[1:]))
        assert await hub.stop() == 0
        gone = await hub.run("send", "github", "push")

    assert sent[0].startswith("202 ")
    assert explained[0] == "com.github.push  by-hand"
    assert (twice.code, twice.documents[0]["status"]) == (0, 200)
    assert gone.code == UNAVAILABLE
    assert gone.complained.startswith(f"{hub.url}/webhooks/github cannot be reached: Connection")


async def test_the_signature_that_is_printed_opens_the_door_for_these_bytes_only(
    alone: Alone, tmp_path: Path
) -> None:
    body = tmp_path / "it's a body.json"
    body.write_bytes(push())
    async with alone() as hub:
        await hub.start()
        header, _, *command = lines_of(await hub.run("sign", str(body)))
        curl = shlex.split(" ".join(line.removesuffix("\\") for line in command))
        taken = await post(hub, curl, body.read_bytes())
        changed = await post(hub, curl, body.read_bytes().replace(b"feature", b"fEature"))

    assert curl[:4] == ["curl", "-i", "-X", "POST"]
    assert header in curl
    assert curl[-2:] == ["--data-binary", f"@{body}"]
    assert (taken.status, changed.status) == (202, 401)


async def post(hub: Served, curl: list[str], body: bytes) -> Answer:
    """Do what a curl command says, with these bytes."""
    assert curl[4] == f"{hub.url}/webhooks/github"
    headers = [value for option, value in pairwise(curl) if option == "-H"]
    head = "\r\n".join(
        ["POST /webhooks/github HTTP/1.1", "Host: hub", *headers, f"Content-Length: {len(body)}"]
    )
    return await ask(hub.port, f"{head}\r\n\r\n".encode() + body)


async def test_text_from_outside_steers_no_terminal_and_forges_no_line(alone: Alone) -> None:
    """T114."""
    turned = {"full_name": "company/red\u202e", "url": "https://github.com/company/red"}
    async with alone(platform={"repositories": ["company/*"]}) as hub:
        await hub.start()
        for name, body in (("turned", push(repository=turned)), ("$(evil)", push(branch=HOSTILE))):
            assert (await ask(hub.port, delivery(name, body, key=KEY))).status == 202
        async with hub.files() as files:
            await eventually(files.quiet)
        commands = (["events"], ["explain", "$(evil)"], ["runs"])
        said = [lines_of(one) for one in await asyncio.gather(*(hub.run(*one) for one in commands))]
        as_json = [lines_of(await hub.run(*command, "--json")) for command in commands]
        assert await hub.stop() == 0

    for line in [line for lines in (*said, *as_json) for line in lines]:
        assert line.isprintable()
    assert "company/red\\x202e" in said[0][1]
    assert "x\\x1b]0;owned\\x07\\x1b[31m\\x9b2J\\x202e\\x0areplay" in "\n".join(said[1])
    assert [line for line in said[1] if line.startswith("  replay")] == [
        "  replay    trunkline replay '$(evil)'"
    ]
    assert hub.log.read_text().replace("\n", "").isprintable()


async def test_events_are_followed_as_they_come_until_ctrl_c(alone: Alone) -> None:
    async with alone() as hub:
        await hub.start()
        following = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub", "events", "--follow", "--config", str(hub.config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=hub.environment,
        )
        assert following.stdout is not None
        try:
            heads = await asyncio.wait_for(following.stdout.readline(), 60)
            assert (await ask(hub.port, delivery("newest", push(), key=KEY))).status == 202
            line = await asyncio.wait_for(following.stdout.readline(), 60)
            following.send_signal(signal.SIGINT)
            rest = await asyncio.wait_for(following.communicate(), 60)
        finally:
            if following.returncode is None:
                following.kill()
                await following.wait()

    assert heads.split() == [b"RECEIVED", b"TYPE", b"KEY", b"ID"]
    assert line.split()[2:] == [b"com.github.push", b"company/order-service", b"newest"]
    assert (following.returncode, rest) == (INTERRUPTED, (b"", b""))


async def test_a_wrong_use_is_told_from_wrong_settings(alone: Alone) -> None:
    async with alone() as hub:
        await hub.start()
        for arguments, word in (
            (["runs", "--state", "asleep"], "asleep is none of ready, running"),
            (["send", "gitlab", "push"], "`gitlab` cannot be sent"),
            (["send", "github", "dance"], "there is no sample of `dance`"),
            (["sign", "no-such-file"], "no-such-file cannot be read"),
        ):
            done = await hub.run(*arguments)
            assert done.code == WRONG_USE
            assert word in done.complained
        unknown = await hub.run("explain", "no-such-event")
        assert (unknown.code, unknown.said) == (1, "")
        assert "No event on the log has the id no-such-event" in unknown.complained
