"""The files of one commit, as `git ls-tree` and `git cat-file` tell them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.clients.gitops.commits import FileChange
from hub.clients.gitops.yaml_source import MAX_BYTES
from hub.errors import PermanentError

_REFUSED_MODES = {"120000": "a symbolic link", "160000": "a submodule"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file in a commit."""

    path: str
    mode: str
    """`100644`, or `100755` where it is executable."""
    blob: str
    """The SHA of its content."""


class Tree:
    """All files of a commit."""

    def __init__(self, listing: bytes) -> None:
        """Read `git ls-tree -r -z`: mode, type, SHA, tab and path, each ended by NUL."""
        records = listing.decode(errors="surrogateescape").split("\0")
        self._facts = {path: facts for facts, _, path in (one.partition("\t") for one in records)}

    def find(self, paths: Iterable[str]) -> list[Entry]:
        """Return those of the paths that are files.

        Raises PermanentError where one leads to or through a symbolic link or a submodule: what
        stands behind those is not for a bump to write.
        """
        return [entry for path in paths if (entry := self._file(path))]

    def blobs(self, paths: Iterable[str]) -> set[str]:
        """Return the SHAs of what stands at these paths."""
        facts = (self._facts.get(path, "").split(" ") for path in paths)
        return {fact[2] for fact in facts if fact[1:2] == ["blob"]}

    def _file(self, path: str) -> Entry | None:
        parts = path.split("/")
        for length in range(1, len(parts) + 1):
            step = "/".join(parts[:length])
            refused = _REFUSED_MODES.get(self._facts.get(step, "").partition(" ")[0])
            if refused:
                raise PermanentError(f"{path}: {step} is {refused}")
        if path not in self._facts:
            return None
        mode, _, blob = self._facts[path].split(" ")
        return Entry(path=path, mode=mode, blob=blob)


class Snapshot:
    """Files of one commit with their contents, and what was decided to change in them since."""

    def __init__(self, tree: Tree, blobs: Mapping[str, bytes]) -> None:
        """`blobs` has the contents by SHA, but for those that are too large."""
        self._tree = tree
        self._blobs = blobs
        self._changed: dict[str, FileChange] = {}

    def files(self, paths: Iterable[str]) -> dict[str, FileChange]:
        """Return those of the paths that are files, as they are by now. Raises PermanentError."""
        return {entry.path: self._now(entry) for entry in self._tree.find(paths)}

    def change(self, files: Mapping[str, FileChange]) -> None:
        """Take what these files hold from now on."""
        self._changed.update(files)

    def _now(self, entry: Entry) -> FileChange:
        if entry.path in self._changed:
            return self._changed[entry.path]
        if entry.blob not in self._blobs:
            raise PermanentError(f"{entry.path}: larger than {MAX_BYTES // 1024} KiB")
        return FileChange(mode=entry.mode, octets=self._blobs[entry.blob])


def small_blobs(output: bytes) -> list[str] | None:
    """Read `git cat-file --batch-check`: the blobs worth reading; None where one is missing."""
    facts = [line.split(" ") for line in output.decode().splitlines()]
    if any(fact[1:] == ["missing"] for fact in facts):
        return None
    return [sha for sha, _, size in facts if int(size) <= MAX_BYTES]


def read_blobs(output: bytes) -> dict[str, bytes]:
    """Read `git cat-file --batch`: a line of SHA, type and size, the content, a line end."""
    blobs = {}
    start = 0
    while start < len(output):
        end = output.index(b"\n", start)
        sha, _, size = output[start:end].decode().split(" ")
        start = end + 1 + int(size)
        blobs[sha] = output[end + 1 : start]
        start += 1
    return blobs
