"""Commits that are to be made, in the language of `git fast-import`. Pure.

https://git-scm.com/docs/git-fast-import. One process makes all commits of a push: no work tree, no
index, and the modes and all other files stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """What a file that exists is to hold."""

    mode: str
    octets: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    """A commit that is to be made on top of the one before it."""

    message: str
    at: int
    """Unix time, in seconds."""
    files: Mapping[str, FileChange]
    """By path."""


def import_script(commits: Sequence[NewCommit], *, ref: str, parent: str, person: str) -> bytes:
    """Return the script that puts the commits onto `parent` and prints their SHAs in order.

    `person` is `name <email>`. The script ends with a word without which git takes nothing of it.
    """
    parts = []
    for number, commit in enumerate(commits, start=1):
        who = f"{person} {commit.at} +0000"
        parts.append(f"commit {ref}\nmark :{number}\nauthor {who}\ncommitter {who}\n".encode())
        parts.append(_data(commit.message.encode()))
        if number == 1:
            parts.append(f"from {parent}\n".encode())
        for path, change in commit.files.items():
            parts.append(f"M {change.mode} inline {path}\n".encode())
            parts.append(_data(change.octets))
        parts.append(f"get-mark :{number}\n".encode())
    return b"".join([*parts, b"done\n"])


def _data(octets: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(octets), octets)
