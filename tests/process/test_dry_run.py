"""`trunkline replay --dry-run` beside a hub that serves: it shows all, and touches nothing."""

from pathlib import Path

from served import Served, eventually
from surroundings import KEY, Alone, in_world
from wire import ask, delivery, push

from hub.events.types import SYNC_SUCCEEDED
from hub.sandbox.world import World

FAILED = 1
ENVIRONMENTS = ("dev", "staging")

HANDLERS = '''
from hub.actions.github import SetCommitStatus, StatusState
from hub.dispatch import on
from hub.events.github import Push


@on(Push)
async def stumble(push, do):
    """Fail in a way that nobody has foreseen."""
    raise KeyError("no such\\nthing")


@on(Push)
async def go_on(push, do):
    """Set a status."""
    await do(
        SetCommitStatus(
            repository=push.repository,
            revision=push.after,
            context="dry",
            state=StatusState.PENDING,
            description="",
        )
    )


HANDLERS = (stumble, go_on)
'''


def files_in(folder: Path) -> dict[Path, int]:
    """When each file of a folder was changed last."""
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}


async def test_a_handler_that_fails_in_a_dry_run_is_named_and_the_others_are_shown(
    alone: Alone, tmp_path: Path
) -> None:
    (tmp_path / "stumbling_handlers.py").write_text(HANDLERS)
    async with alone(dispatch={"handlers_module": "stumbling_handlers"}) as hub:
        await hub.start()
        assert (await ask(hub.port, delivery("a-push", push(), key=KEY))).status == 202
        shown = await hub.run("replay", "a-push", "--dry-run")

    assert shown.code == FAILED
    assert shown.complained == "stumble failed: KeyError: 'no such\\nthing'\n"
    assert "go_on would be done" in shown.said.splitlines()


async def test_a_dry_run_reads_the_gitops_repository_and_leaves_the_hubs_clone_alone(
    tmp_path: Path,
) -> None:
    async with in_world(tmp_path) as (world, hub):
        await hub.start()
        world.connect(hub.url)
        await world.push()
        synced = await eventually(lambda: deployed(hub, world))
        (head,) = (tmp_path / "state").glob("gitops-*/HEAD")
        before = files_in(head.parent)
        shown = await hub.run("replay", synced, "--handler", "track_deployment", "--dry-run")
        assert files_in(head.parent) == before
        assert await hub.stop() == 0

    assert (shown.code, shown.complained) == (0, "")
    actions = [line.split()[0] for line in shown.said.splitlines()[1:]]
    assert actions[1:4] == ["gitops.read_image", "hub.find_revision", "hub.record_sighting"]


async def deployed(hub: Served, world: World) -> str:
    """Return the id of an event that says what was deployed, once everything is."""
    await world.settled()
    async with hub.files() as files:
        await eventually(files.quiet)
        events = [record.envelope for record in await files.bus.read(after=None, limit=1000)]
    ids = [event.id for event in events if event.type == SYNC_SUCCEEDED]
    return ids[-1] if len(ids) == len(ENVIRONMENTS) else ""
