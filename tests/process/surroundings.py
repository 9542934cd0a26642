"""A served hub with nobody around it, or in the sandbox world."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from served import Served

from hub.sandbox.kubernetes.cluster import merge
from hub.sandbox.world import World

KEY = "a key that opens the door of github"

QUICK = {
    "slack": {"seconds_per_message": 0},
    "dispatch": {"retry_base_seconds": 0.05, "retry_cap_seconds": 1.0},
}
"""Nobody waits for what only has to wait in the world outside."""

Alone = Callable[..., AbstractAsyncContextManager[Served]]
"""Makes a hub that nobody else is around, with changes to its settings."""


@asynccontextmanager
async def alone_in(folder: Path, changes: Mapping[str, Any]) -> AsyncIterator[Served]:
    """Make a hub that opens the door of GitHub with `KEY`, and knows nobody outside."""
    (folder / "github.key").write_text(KEY)
    key = {"id": "test", "secret": {"file": "github.key"}}

    def write(file: Path, port: int, admin_port: int) -> None:
        settings = {
            "bus": "sqlite:///state/trunkline.db",
            "journal": "sqlite:///state/trunkline.db",
            "state": "state",
            "receiver": {"port": port, "github": {"keys": [key]}},
            "admin": {"port": admin_port},
        }
        file.write_text(yaml.safe_dump(merge(settings, changes)))

    async with Served(folder, write) as hub:
        yield hub


@asynccontextmanager
async def in_world(folder: Path, **world: Any) -> AsyncIterator[tuple[World, Served]]:
    """Make a world, and a hub that is to serve in it; its parts do not know each other yet."""
    scratch = folder / "world"
    scratch.mkdir(parents=True)
    async with World(scratch=scratch, **world) as around:

        def write(file: Path, port: int, admin_port: int) -> None:
            around.write_settings(
                file, state=folder / "state", port=port, admin_port=admin_port, changes=QUICK
            )

        async with Served(folder, write) as hub:
            yield around, hub
