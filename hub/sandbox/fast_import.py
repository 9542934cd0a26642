"""Writes a commit in the language of `git fast-import`, https://git-scm.com/docs/git-fast-import.

One process makes the commit however many files it changes, and the ref moves only forward.
"""

from collections.abc import Mapping
from datetime import datetime

from hub.sandbox.history import Person

Contents = Mapping[str, str | bytes | None]
"""Contents by path; None removes the file."""


def commit_script(
    ref: str, *, parent: str | None, message: str, files: Contents, at: datetime, by: Person
) -> bytes:
    """Return the script that makes one commit on top of `parent` and prints its SHA."""
    who = f"{by.name} <{by.email}> {int(at.timestamp())} +0000"
    head = f"commit {ref}\nmark :1\nauthor {who}\ncommitter {who}\n".encode()
    origin = f"from {parent}\n".encode() if parent else b""
    changes = b"".join(_change(path, content) for path, content in files.items())
    return head + _data(message.encode()) + origin + changes + b"get-mark :1\n"


def _change(path: str, content: str | bytes | None) -> bytes:
    quoted = _quoted(path)
    if content is None:
        return f"D {quoted}\n".encode()
    octets = content.encode() if isinstance(content, str) else content
    return f"M 100644 inline {quoted}\n".encode() + _data(octets)


def _data(octets: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(octets), octets)


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
