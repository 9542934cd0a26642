"""A served hub: alone, or in the sandbox world."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from served import Served

from hub.sandbox.kubernetes.cluster import merge

KEY = "a key that opens the door of github"

Alone = Callable[..., AbstractAsyncContextManager[Served]]
"""Opens a hub that nobody else is around, with changes to its settings."""


@asynccontextmanager
async def _alone(folder: Path, /, **changes: Any) -> AsyncIterator[Served]:
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


@pytest.fixture
def alone(tmp_path: Path) -> Alone:
    return lambda **changes: _alone(tmp_path, **changes)
