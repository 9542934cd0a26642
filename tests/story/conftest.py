"""What every story begins with."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from story_platform import QUICK, Platform


@pytest.fixture
def settings() -> Mapping[str, Any]:
    """What a story changes in the settings; see `with_settings`."""
    return QUICK


@pytest.fixture
def argocd_retry_seconds() -> float:
    """How long Argo CD waits before it sends a notification again."""
    return 0.01


@pytest.fixture
async def platform(
    tmp_path: Path, settings: Mapping[str, Any], argocd_retry_seconds: float
) -> AsyncIterator[Platform]:
    one = Platform(tmp_path, settings, retry_seconds=argocd_retry_seconds)
    async with one.open():
        yield one
