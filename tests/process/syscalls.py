"""What strace saw, as far as the promise of a 202 needs it: read, written, on disk, answered.

A line of the trace is a system call's entry, its return, or both; a later line happened later.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

STRACE = (
    *("strace", "-D", "-f", "-yy", "-q", "--signal=none", "-s", "65536"),
    "--trace=recvfrom,recvmsg,sendto,sendmsg,write,writev,pwrite64,pwritev,fdatasync,fsync",
)
"""The hub stays our own child (`-D`), descriptors are named (`-yy`), data is whole (`-s`)."""

_LINE = re.compile(
    r"(?P<thread>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>)?(?P<text>.*?)"
    r"(?P<unfinished> <unfinished \.\.\.>)?"
)
_CALL = re.compile(r"(?P<name>\w+)\(\d+<(?P<target>[^\"]*?)>(?:,|\)).* = (?P<result>-?\d+)(?: .*)?")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_NAME = re.compile(rb"x-github-delivery: *(\S+)", re.IGNORECASE)
_READS = ("recvfrom", "recvmsg")
_WRITES = ("sendto", "sendmsg", "write", "writev")
_FILE_WRITES = ("pwrite64", "pwritev", "write")
_SYNCS = ("fdatasync", "fsync")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One system call on one descriptor. `began` and `ended` are lines of the trace."""

    name: str
    target: str
    data: bytes
    result: int
    began: int
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A delivery that was answered with 202."""

    delivery: str
    read_at: int
    """Where the last of its body had been read."""
    answered_at: int
    """Where its answer began to be sent."""


def calls_in(trace: str) -> list[Call]:
    """Read a trace, in the order in which the calls returned."""
    begun: dict[str, tuple[int, str]] = {}
    calls = []
    for place, line in enumerate(trace.splitlines()):
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        began, before = begun.pop(found["thread"]) if found["resumed"] else (place, "")
        text = before + found["text"]
        if found["unfinished"]:
            begun[found["thread"]] = (began, text)
        elif call := _CALL.fullmatch(text):
            calls.append(
                Call(
                    name=call["name"],
                    target=call["target"],
                    data=b"".join(map(_octets, _STRING.findall(text))),
                    result=int(call["result"]),
                    began=began,
                    ended=place,
                )
            )
    return calls


def answered_in(calls: Sequence[Call]) -> list[Answered]:
    """Return every delivery that was answered with 202, connection by connection."""
    on_connections = defaultdict(list)
    for call in calls:
        if call.target.startswith("TCP") and call.result > 0:
            on_connections[call.target].append(call)
    return [one for talk in on_connections.values() for one in _answered_on(talk)]


def kept_in_time(one: Answered, calls: Sequence[Call]) -> bool:
    """Whether its id was written to the write-ahead log, and that synced, before the answer.

    All of it after the body was read and before the first byte of the answer.
    """
    log = [call for call in calls if call.target.endswith("-wal")]
    written = [
        call.ended
        for call in log
        if call.name in _FILE_WRITES
        and call.began > one.read_at
        and one.delivery.encode() in call.data
    ]
    return any(
        call.name in _SYNCS
        and call.result == 0
        and call.began > written[0]
        and call.ended < one.answered_at
        for call in log
        if written
    )


def _answered_on(talk: Sequence[Call]) -> Iterator[Answered]:
    unread = b""
    read_at = 0
    for call in talk:
        if call.name in _READS:
            unread += call.data
            read_at = call.ended
        elif call.name in _WRITES and call.data.startswith(b"HTTP/1.1 202"):
            name = _NAME.search(unread)
            assert name is not None, unread
            assert _is_whole(unread), unread
            yield Answered(delivery=name[1].decode(), read_at=read_at, answered_at=call.began)
            unread = b""


def _is_whole(request: bytes) -> bool:
    head, _, body = request.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return length is not None and len(body) == int(length[1])


def _octets(text: str) -> bytes:
    """Read a string as C writes it."""
    octets: bytes = ast.literal_eval(f"b{text}")
    return octets
