"""Bumps every service to builds 1 to 8, in a process that can be killed; says what has landed.

Arguments: the gitops repository's address, the state folder, then the services.
"""

import asyncio
import sys
from pathlib import Path

from hub.actions.action import Call
from hub.actions.gitops import Bump, BumpImage, Image
from hub.clients.gitops import Comparison, Gitops, Order
from hub.errors import TemporaryError
from hub.events.envelope import Envelope
from hub.settings import GitopsSettings

BUILDS = 8

PATIENCE_SECONDS = 60.0


class ByNumber:
    """A source whose commits follow one another by their number."""

    async def compare(self, repository: str, base: str, head: str) -> Comparison:
        later = int(head, 16) > int(base, 16)
        return Comparison(order=Order.AHEAD if later else Order.BEHIND)


def call(service: str, number: int) -> Call:
    envelope = Envelope(
        id=f"{service}/{number}", source="/tekton", type="t", partitionkey=service, data=b"{}"
    )
    return Call(event=envelope, handler="bump_image_tag", step=1, attempt=1)


def bump_of(service: str, number: int) -> BumpImage:
    return BumpImage(
        service=service,
        environments=("dev",),
        image=Image(
            repository=f"registry.example/company/{service}",
            tag=f"v{number}",
            digest=f"sha256:{number:064x}",
        ),
        repository=f"company/{service}",
        revision=f"{number:040x}",
    )


async def landed(gitops: Gitops, service: str, number: int) -> Bump:
    while True:
        try:
            return await gitops.bump(bump_of(service, number), call(service, number))
        except TemporaryError:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.sleep(0.05)


async def build(gitops: Gitops, service: str) -> None:
    """Bump one service again and again, as its lane does, until every build has landed."""
    for number in range(1, BUILDS + 1):
        async with asyncio.timeout(PATIENCE_SECONDS):
            bump = await landed(gitops, service, number)
        sys.stdout.write(f"{service} {number} {bump.commit}\n")
        sys.stdout.flush()


async def main(url: str, state: str, *services: str) -> None:
    settings = GitopsSettings(url=url)
    gitops = Gitops(settings=settings, order=ByNumber(), state=Path(state), token=None)
    await asyncio.gather(*(build(gitops, service) for service in services))
    await gitops.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
