"""Where the servers for the tests lie, and whether they are all there. Fetches nothing."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folder of one server, and the file of ours that says which version it has to be.

    Where the recipe is a folder, every file in it says so.
    """

    name: str
    recipe: Path

    @property
    def folder(self) -> Path:
        cache = os.environ.get("TRUNKLINE_SERVERS")
        return (Path(cache).resolve() if cache else _ROOT / ".servers") / self.name

    @property
    def is_filled(self) -> bool:
        return self._stamp.is_file() and self._stamp.read_text() == self._version

    def clear(self) -> None:
        """Make the folder anew; raises `FileExistsError` where it is not one of ours."""
        if self.folder.exists() and not self._stamp.exists():
            raise FileExistsError(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._stamp.touch()

    def mark_filled(self) -> None:
        self._stamp.write_text(self._version)

    @property
    def _stamp(self) -> Path:
        return self.folder / ".complete"

    @property
    def _version(self) -> str:
        recipe = self.recipe
        files = sorted(recipe.rglob("*")) if recipe.is_dir() else [recipe]
        digest = hashlib.sha256()
        for file in files:
            if file.is_file():
                digest.update(f"{file.relative_to(recipe)}\0".encode() + file.read_bytes())
        return digest.hexdigest()


KAFKA = Place(name="kafka", recipe=_HERE / "pom.xml")
POSTGRES = Place(name="postgres", recipe=_HERE / "postgres.lock")
FUNCTION = Place(name="function-pythonic", recipe=_HERE / "function.lock")
"""What Crossplane runs the compositions with; it needs other versions of libraries than we do."""
PROGRAMS = tuple(
    Place(name=recipe.name, recipe=recipe)
    for recipe in sorted((_HERE / "programs").glob("*"))
    if (recipe / "go.mod").is_file()
)
"""Programs in Go: each folder is a module of ours, which builds to a binary of its own name."""


def program(name: str) -> Path:
    """Return the binary of one of `PROGRAMS`, which is there unless `missing` says otherwise."""
    (place,) = (one for one in PROGRAMS if one.name == name)
    return place.folder / name


def java() -> str | None:
    """Return the command that runs Java, or nothing where there is none."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=f"{home}/bin" if home else None)


def missing() -> str | None:
    """Say what is missing and how to get it, or nothing where all servers can be started."""
    absent = [place.name for place in (KAFKA, POSTGRES, FUNCTION, *PROGRAMS) if not place.is_filled]
    if not absent and java():
        return None
    return f"no {' and no '.join(absent) or 'java'} to test with: run `make servers`"
