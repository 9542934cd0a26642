"""What the tests of the served process share; the rest is imported by name."""

from pathlib import Path

import pytest
from surroundings import Alone, alone_in


@pytest.fixture
def alone(tmp_path: Path) -> Alone:
    return lambda **changes: alone_in(tmp_path, changes)
