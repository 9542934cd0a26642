"""A release manager promotes what staging runs: the same tag and digest, in a commit by hand."""

import re

from hub.sandbox.history import Commit, Person
from hub.sandbox.world import World

RELEASE_MANAGER = Person(name="A release manager", email="release@company.example")

_IMAGE = re.compile(r"^ +(?:newTag|digest): *(?P<value>\S+)", re.MULTILINE)


def promoted(staging: str, production: str) -> str:
    """Return production's kustomization with staging's tag and digest. Pure."""
    values = iter([match["value"] for match in _IMAGE.finditer(staging)])

    def swap(match: re.Match[str]) -> str:
        return match[0].removesuffix(match["value"]) + next(values)

    return _IMAGE.sub(swap, production)


async def promote(world: World, service: str) -> Commit:
    """Commit the promotion to the gitops repository, as a person does."""
    overlays = {
        environment: f"services/{service}/overlays/{environment}/kustomization.yaml"
        for environment in ("staging", "production")
    }
    staging, production = [
        (await world.gitops.read_file("main", path)).decode() for path in overlays.values()
    ]
    return await world.gitops.commit(
        "main",
        f"Promote {service} to production",
        {overlays["production"]: promoted(staging, production)},
        by=RELEASE_MANAGER,
    )
