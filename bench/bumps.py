"""Two hundred services are bumped at once into one gitops repository, over real git and HTTP."""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.table import Row
from hub.actions.action import Call
from hub.actions.gitops import BumpImage, Image
from hub.clients.gitops import Gitops
from hub.clients.gitops.order import Comparison, Order
from hub.dispatch.rehearsal import NO_EVENT
from hub.sandbox.samples import image_of
from hub.sandbox.world import World
from hub.secrets import SecretPlace
from hub.settings import GitopsSettings, Secret

SERVICES = 200
PUSHES_GOAL = 3


class _Newer:
    """Every build is of a newer commit than the one before."""

    async def compare(self, _repository: str, _base: str, _head: str) -> Comparison:
        return Comparison(order=Order.AHEAD)


async def measure() -> list[Row]:
    """Measure, and return the row."""
    with TemporaryDirectory(prefix="trunkline-bench-") as folder:
        scratch = Path(folder)
        (scratch / "world").mkdir()
        async with World(scratch=scratch / "world") as world:
            names = [f"service-{number:03}" for number in range(SERVICES)]
            await world.add_services(names)
            token = Secret(file=world.credentials.github_token.file)
            gitops = Gitops(
                settings=GitopsSettings(url=world.addresses.gitops, token=token),
                order=_Newer(),
                state=scratch / "state",
                token=SecretPlace(token, name="gitops.token"),
            )
            before = len(world.github.git.pushes)
            began = time.perf_counter()
            bumps = await asyncio.gather(*(gitops.bump(_bump(name), _call(name)) for name in names))
            wall = time.perf_counter() - began
            await gitops.close()
            pushes = len(world.github.git.pushes) - before
    landed = sum(bump.commit is not None for bump in bumps)
    return [
        Row(
            what=f"{SERVICES} image bumps at once into one repository",
            measured=f"{landed} landed in {pushes} pushes and {wall:.1f} s, a commit each",
            goal=f"<= {PUSHES_GOAL} pushes",
            reached=pushes <= PUSHES_GOAL and landed == SERVICES,
        )
    ]


def _bump(service: str) -> BumpImage:
    return BumpImage(
        service=service,
        environments=("dev", "staging"),
        image=Image(repository=image_of(service), tag="main-1", digest=f"sha256:{'d' * 64}"),
        repository=f"company/{service}",
        revision="b" * 40,
    )


def _call(service: str) -> Call:
    return Call(event=NO_EVENT, handler=service, step=1, attempt=1)
