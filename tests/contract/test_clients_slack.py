"""Slack's client against the sandbox's Slack, with what it remembers in a real journal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hub.actions.action import Call
from hub.actions.slack import KeepMessage, MessageLine, PostedMessage, ReplyInThread
from hub.clients.answer import OutcomeUnknownError
from hub.clients.http import Http
from hub.clients.slack import Slack
from hub.errors import PermanentError, TemporaryError
from hub.events.envelope import Envelope
from hub.journal.records import SqliteRecords
from hub.journal.schema import MIGRATIONS
from hub.sandbox.faults import Down, Faults, ResetAfterEffect, Slow, Status
from hub.sandbox.slack import Slack as Workspace
from hub.sandbox.slack import SlackMessage
from hub.secrets import SecretPlace
from hub.settings import Secret, SlackSettings
from hub.sqlite import Database

TOKEN = "xoxb-a-token-of-the-test"
DEPLOYMENTS = "#deployments"
INCIDENTS = "#incidents"
POST = "chat.postMessage"
STAGING = KeepMessage(
    key="deployment/order-service/staging/0a1b2c3",
    channel=DEPLOYMENTS,
    title="order-service → staging: building",
    lines=(MessageLine(label="building", text="since 09:30"),),
    version=1,
)
SYNCING = replace(STAGING, title="order-service → staging: syncing", version=4)
DETAIL = ReplyInThread(key=STAGING.key, channel=DEPLOYMENTS, text="sync failed: 2 pods pending")


def call(step: int = 0) -> Call:
    event = Envelope(id="e", source="/s", type="t", partitionkey="k", data=b"{}")
    return Call(event=event, handler="announce_deployment", step=step, attempt=1)


@dataclass
class World:
    """A Slack, and a hub whose process can end and begin again."""

    workspace: Workspace
    faults: Faults
    records: SqliteRecords
    token: SecretPlace
    now: float

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Slack]:
        settings = SlackSettings(
            api_url=self.workspace.url,
            token=Secret(variable="SLACK_TOKEN"),
            link_hosts=("argocd.example.com",),
        )
        async with Http(wall=lambda: self.now) as http:
            yield Slack(
                settings=settings,
                http=http,
                token=self.token,
                records=self.records,
                seconds_per_message=0.0,
            )

    def messages(self, channel: str = DEPLOYMENTS) -> list[str]:
        return [one.shown.splitlines()[0] for one in self.workspace.messages(channel)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    faults = Faults()
    workspace = Workspace(faults=faults, token=TOKEN, channels=(DEPLOYMENTS, INCIDENTS))
    await workspace.start()
    database = await Database.own(tmp_path / "journal.db")
    await database.migrate("journal", MIGRATIONS)
    token = SecretPlace(
        Secret(variable="SLACK_TOKEN"), name="slack.token", environment={"SLACK_TOKEN": TOKEN}
    )
    # The workspace's own clock writes the messages' times, so the hub's must not be ahead of it.
    yield World(
        workspace=workspace,
        faults=faults,
        records=SqliteRecords(store=database),
        token=token,
        now=1_000_000_000.0,
    )
    faults.clear()
    await workspace.stop()
    await database.close()


@pytest.fixture
async def slack(world: World) -> AsyncIterator[Slack]:
    async with world.process() as slack:
        yield slack


async def test_one_message_follows_the_deployment(world: World, slack: Slack) -> None:
    first = await slack.keep(STAGING, call())
    second = await slack.keep(SYNCING, call(1))

    assert first == second
    assert world.messages() == [SYNCING.title]
    (message,) = world.workspace.messages(DEPLOYMENTS)
    assert (message.ts, message.edits) == (first.ts, 1)
    assert message.shown.splitlines() == [SYNCING.title, "building: since 09:30"]
    assert message.text == "order-service → staging: syncing\nbuilding: since 09:30"


async def test_a_late_or_repeated_state_changes_nothing(world: World, slack: Slack) -> None:
    await slack.keep(SYNCING, call())
    (before,) = world.workspace.messages(DEPLOYMENTS)

    for late in (SYNCING, replace(SYNCING, title="repeated"), STAGING):
        assert (await slack.keep(late, call())).ts == before.ts

    assert world.workspace.messages(DEPLOYMENTS) == (before,)


async def test_it_survives_a_restart(world: World) -> None:
    async with world.process() as slack:
        await slack.keep(STAGING, call())
    async with world.process() as slack:
        await slack.keep(SYNCING, call(1))

    assert world.messages() == [SYNCING.title]


async def test_row_98_a_lost_answer_to_a_post_makes_no_second_message(
    world: World, slack: Slack
) -> None:
    world.faults.fail("slack", ResetAfterEffect(), path=POST, times=1)
    with pytest.raises(OutcomeUnknownError):
        await slack.keep(STAGING, call())

    posted = await slack.keep(SYNCING, call())

    assert world.messages() == [SYNCING.title]
    assert posted.ts == world.workspace.messages(DEPLOYMENTS)[0].ts


async def test_row_98_a_lost_answer_is_found_again_after_a_restart(world: World) -> None:
    world.faults.fail("slack", ResetAfterEffect(), path=POST, times=1)
    async with world.process() as slack:
        with pytest.raises(OutcomeUnknownError):
            await slack.keep(STAGING, call())
    async with world.process() as slack:
        await slack.keep(STAGING, call())

    assert world.messages() == [STAGING.title]


async def test_row_98_a_lost_answer_to_a_reply_makes_no_second_reply(
    world: World, slack: Slack
) -> None:
    await slack.keep(STAGING, call())
    world.faults.fail("slack", ResetAfterEffect(), path=POST, times=1)
    with pytest.raises(OutcomeUnknownError):
        await slack.reply(DETAIL, call(1))

    posted = await slack.reply(DETAIL, call(1))

    (reply,) = world.workspace.thread(world.workspace.messages(DEPLOYMENTS)[0].ts)
    assert (reply.shown, reply.ts) == (DETAIL.text, posted.ts)


async def test_row_98_when_the_channel_cannot_be_read_a_repeat_is_all_that_is_left(
    world: World, slack: Slack
) -> None:
    world.faults.fail("slack", ResetAfterEffect(), path=POST, times=1)
    world.faults.fail("slack", Status(status=403), path=r"conversations\.")
    with pytest.raises(OutcomeUnknownError):
        await slack.keep(STAGING, call())

    await slack.keep(STAGING, call())

    assert world.messages() == [STAGING.title] * 2


async def test_a_process_that_ends_while_it_posts_leaves_one_message(world: World) -> None:
    held = world.faults.fail("slack", Slow(), path=POST, times=1)
    async with world.process() as slack:
        posting = asyncio.create_task(slack.keep(STAGING, call()))
        await held.met()
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
    held.clear()

    async with world.process() as slack:
        with pytest.raises(TemporaryError, match="another process") as caught:
            await slack.keep(STAGING, call())
        assert caught.value.after is not None
        world.now += caught.value.after
        await slack.keep(STAGING, call())

    assert world.messages() == [STAGING.title]


async def test_two_processes_at_once_post_one_message(world: World) -> None:
    async with world.process() as one, world.process() as other:
        both = await asyncio.gather(
            one.keep(STAGING, call()), other.keep(STAGING, call()), return_exceptions=True
        )

    assert sum(isinstance(outcome, PostedMessage) for outcome in both) == 1
    assert sum(isinstance(outcome, TemporaryError) for outcome in both) == 1
    assert world.messages() == [STAGING.title]


async def test_two_runs_at_once_post_one_message(world: World, slack: Slack) -> None:
    both = await asyncio.gather(
        slack.keep(STAGING, call()), slack.keep(SYNCING, call(1)), return_exceptions=True
    )

    assert sum(isinstance(outcome, TemporaryError) for outcome in both) == 1
    assert len(world.messages()) == 1


@pytest.mark.parametrize("kind", [Down(), Status(status=500), Status(status=503)])
async def test_a_post_that_never_arrived_is_made_up_for(
    world: World, slack: Slack, kind: Down | Status
) -> None:
    world.faults.fail("slack", kind, path=POST, times=1)
    with pytest.raises(TemporaryError):
        await slack.keep(STAGING, call())

    await slack.keep(STAGING, call())

    assert world.messages() == [STAGING.title]


async def test_row_97_retry_after_is_obeyed_without_holding_up_another_channel(
    world: World, slack: Slack
) -> None:
    limit = Status(status=429, retry_after=3600)
    first = world.faults.fail("slack", limit, path=POST, times=1)
    with pytest.raises(TemporaryError) as caught:
        await slack.keep(STAGING, call())
    assert 3500 < (caught.value.after or 0) <= 3600

    never = world.faults.fail("slack", limit, path=POST, times=1)
    with pytest.raises(TemporaryError) as again:
        await slack.keep(replace(STAGING, key="another"), call())
    never.clear()
    await slack.keep(replace(STAGING, key="an incident", channel=INCIDENTS), call())

    assert (first.hits, never.hits) == (1, 0)
    assert await world.records.get("slack-message", "another") is None
    assert 3500 < (again.value.after or 0) <= 3600
    assert world.messages() == []
    assert world.messages(INCIDENTS) == [STAGING.title]


async def test_row_97_a_limit_on_posts_does_not_hold_up_updates(world: World, slack: Slack) -> None:
    await slack.keep(STAGING, call())
    world.faults.fail("slack", Status(status=429, retry_after=60), path=POST, times=1)
    with pytest.raises(TemporaryError):
        await slack.keep(replace(STAGING, key="another"), call())

    await slack.keep(SYNCING, call())

    assert world.messages() == [SYNCING.title]


async def test_row_97_replies_and_messages_of_a_channel_share_its_limit(
    world: World, slack: Slack
) -> None:
    await slack.keep(STAGING, call())
    limit = Status(status=429, retry_after=60)
    world.faults.fail("slack", limit, path=POST, times=1)
    with pytest.raises(TemporaryError):
        await slack.reply(DETAIL, call(1))

    with pytest.raises(TemporaryError):
        await slack.keep(replace(STAGING, key="another"), call())

    assert world.messages() == [STAGING.title]


async def test_an_older_state_cannot_overtake_a_newer_one(world: World, slack: Slack) -> None:
    await slack.keep(STAGING, call())
    held = world.faults.fail("slack", Slow(), path=r"chat\.update", times=1)
    newer = asyncio.create_task(slack.keep(SYNCING, call()))
    await held.met()

    with pytest.raises(TemporaryError, match="being written"):
        await slack.keep(replace(STAGING, title="older", version=2), call(1))
    held.clear()
    await newer
    await slack.keep(replace(STAGING, title="older", version=2), call(1))

    assert world.messages() == [SYNCING.title]


async def test_what_was_refused_is_posted_once_it_is_allowed(world: World, slack: Slack) -> None:
    for kind in (Status(status=429, retry_after=0), Status(status=403)):
        world.faults.fail("slack", kind, path=POST, times=1)
        with pytest.raises((TemporaryError, PermanentError)):
            await slack.keep(STAGING, call())

    searches = world.faults.fail("slack", Status(status=500), path=r"conversations\.")
    await slack.keep(STAGING, call())

    assert world.messages() == [STAGING.title]
    assert searches.hits == 0


async def test_a_message_that_somebody_deleted_is_posted_anew(world: World, slack: Slack) -> None:
    await slack.keep(STAGING, call())
    world.workspace.delete(world.workspace.messages(DEPLOYMENTS)[0])

    await slack.keep(SYNCING, call())
    await slack.keep(replace(SYNCING, title="healthy", version=5), call())

    assert world.messages() == ["healthy"]


async def test_a_detail_goes_into_the_thread_once_for_each_step(world: World, slack: Slack) -> None:
    posted = await slack.keep(STAGING, call())
    for step in (1, 1, 2):
        await slack.reply(replace(DETAIL, text=f"step {step}"), call(step))

    assert [one.shown for one in world.workspace.thread(posted.ts)] == ["step 1", "step 2"]
    assert world.messages() == [STAGING.title]


async def test_a_detail_waits_for_its_message(slack: Slack) -> None:
    with pytest.raises(TemporaryError, match=STAGING.key):
        await slack.reply(DETAIL, call())


async def test_row_99_a_revoked_token_is_told_of_by_its_place(world: World, slack: Slack) -> None:
    world.workspace.rotate_token("another")

    with pytest.raises(PermanentError, match=r"invalid_auth.*slack\.token") as caught:
        await slack.keep(STAGING, call())

    assert TOKEN not in str(caught.value)


async def test_row_99_an_archived_or_unknown_channel_is_told_of(world: World, slack: Slack) -> None:
    world.workspace.archive(INCIDENTS)

    with pytest.raises(PermanentError, match=r"is_archived.*#incidents"):
        await slack.keep(replace(STAGING, channel=INCIDENTS), call())
    with pytest.raises(PermanentError, match=r"channel_not_found.*#nowhere"):
        await slack.keep(replace(STAGING, channel="#nowhere"), call())


async def test_row_100_hostile_text_mentions_nobody_and_links_nowhere(
    world: World, slack: Slack
) -> None:
    hostile = "<!channel> @here <@U012AB3CD> <https://evil.example|argocd> " + "x" * 50_000
    lines = (
        MessageLine(label=hostile, text=hostile, url="https://evil.example/"),
        MessageLine(label="sync", text="ok", url="https://argocd.example.com/a?b=1&c=2"),
    )

    await slack.keep(replace(STAGING, title=hostile, lines=lines), call())
    await slack.reply(replace(DETAIL, text=hostile), call(1))

    (message,) = world.workspace.messages(DEPLOYMENTS)
    (reply,) = world.workspace.thread(message.ts)
    raw = str([message.blocks, message.text, reply.blocks, reply.text])
    assert raw.count("<") == 1
    assert "<https://argocd.example.com/a?b=1&amp;c=2|sync>" in raw
    assert "@here" not in raw
    assert "sync (https://argocd.example.com/a?b=1&c=2)" in message.shown


async def test_what_is_not_this_message_is_never_taken_for_it(world: World, slack: Slack) -> None:
    forged = SlackMessage(
        channel=DEPLOYMENTS,
        ts="",
        text="forged",
        metadata={"event_type": "another_feature", "event_payload": {"key": STAGING.key}},
    )
    world.faults.fail("slack", Down(), path=POST, times=1)
    with pytest.raises(TemporaryError):
        await slack.keep(STAGING, call())
    world.workspace.workspace.post(forged)
    world.workspace.say(DEPLOYMENTS, "is it out yet?")

    await slack.keep(STAGING, call())

    assert world.messages() == ["forged", "is it out yet?", STAGING.title]


async def test_a_record_that_cannot_be_read_is_told_of(world: World, slack: Slack) -> None:
    await world.records.put("slack-message", STAGING.key, "no note", expected=0)

    with pytest.raises(PermanentError, match=STAGING.key):
        await slack.keep(STAGING, call())


async def test_what_is_well_again_is_said_only_where_something_was_said_before(
    world: World,
) -> None:
    well = replace(STAGING, title="order-service → staging: as wanted", version=2, only_update=True)
    async with world.process() as slack:
        assert (await slack.keep(well, call())).ts == ""
        assert world.messages() == []
        posted = await slack.keep(STAGING, call())
        assert await slack.keep(well, call(1)) == posted
    assert world.messages() == [well.title]
