"""The project's own text, for the tests that hold it to its rules."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """A Python file of the project."""

    path: Path
    text: str

    @property
    def tree(self):
        return ast.parse(self.text)

    def __str__(self):
        return self.path.as_posix()


def sources_in(*folders):
    files = sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return [Source(file.relative_to(ROOT), file.read_text()) for file in files]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def product():
    """Return every file that is installed."""
    return sources_in("hub", "handlers")


@pytest.fixture(scope="session")
def tests():
    return sources_in("tests")
