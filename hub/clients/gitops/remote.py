"""The gitops repository as a remote: which ones are talked to, and what git says of them. Pure.

Git tells its troubles in words only. Its language is fixed (`hub/clients/git.py`), and words that
are not known here are never taken for success or for a refusal.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit

from hub.clients.addresses import is_loopback
from hub.clients.answer import clean
from hub.clients.git import Ended
from hub.errors import PermanentError, SettingsError, TemporaryError

_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+=-]*)*")
"""Stricter than https://git-scm.com/docs/git-check-ref-format: no part starts with dash or dot."""

_UNREACHABLE = re.compile(
    r"could not resolve|failed to connect|couldn't connect|connection (?:was )?(?:refused|reset)"
    r"|connection timed out|operation timed out|operation too slow|early eof|empty reply"
    r"|unexpected(?:ly)? disconnect|remote end hung up|returned error: (?:408|429|5\d\d)"
    r"|http (?:408|429|5\d\d)|rpc failed|recv failure|send failure|gnutls|\bssl\b|\btls\b"
    r"|unable to access",
    re.IGNORECASE,
)

_REFUSED = re.compile(
    r"couldn't find remote ref|authentication failed|could not read (?:username|password)"
    r"|returned error: (?:3\d\d|40[0-7])|http (?:3\d\d|40[0-7])"
    r"|repository '[^']*' not found|does not appear to be a git repository"
    r"|access denied|permission to .* denied|not authorized"
    r"|unable to update url base from redirection|transport '[^']*' not allowed",
    re.IGNORECASE,
)

_LOST = re.compile(
    r"fetch first|non-fast-forward|stale info|cannot lock ref|failed to lock|failed to update ref"
    r"|incorrect old value|reference already exists",
    re.IGNORECASE,
)

_UNCLEAR = re.compile(
    r"\[remote failure\]|unpacker error|internal (?:server )?error|timed? ?out", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where the branch lives. The settings alone say so, never an event."""

    url: str
    branch: str

    def __post_init__(self) -> None:
        """Raise SettingsError where the address or the branch is not one that is talked to."""
        problems = [
            f"gitops.{name}: {problem}"
            for name, problem in (
                ("url", _url_problem(self.url)),
                ("branch", _branch_problem(self.branch)),
            )
            if problem
        ]
        if problems:
            raise SettingsError(problems)

    @property
    def protocol(self) -> str:
        """The only protocol that git may use."""
        return urlsplit(self.url).scheme

    @property
    def ref(self) -> str:
        """The branch by its full name."""
        return f"refs/heads/{self.branch}"


def _url_problem(url: str) -> str | None:
    if not url.isprintable() or set(url) & set(" @?#"):
        return "a space, a query or a credential in an address is refused: the token has its place"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "is not an address"
    match parts.scheme:
        case "https" if host:
            return None
        case "http" if is_loopback(host):
            return None
        case "file" if not host and parts.path.startswith("/"):
            return None
        case _:
            return "expected https://host/path or file:///path"


def _branch_problem(branch: str) -> str | None:
    hostile = ".." in branch or branch.endswith((".lock", ".")) or ".lock/" in branch
    return None if _BRANCH.fullmatch(branch) and not hostile else "is not a branch name"


def remote_trouble(ended: Ended, credential: str) -> TemporaryError | PermanentError | None:
    """Return what the remote's answer means; None where the trouble may be in the clone.

    `credential` says where the token is kept, for whoever has to change it.
    """
    if _REFUSED.search(ended.complaint):
        return PermanentError(f"the gitops repository refuses: {ended.words}{credential}")
    if _UNREACHABLE.search(ended.complaint):
        return TemporaryError(f"the gitops repository cannot be reached: {ended.words}")
    return None


class Verdict(Enum):
    """What became of a push."""

    LANDED = auto()
    LOST = auto()
    """Somebody else's push came first."""
    UNCLEAR = auto()
    """It may have landed: only the next fetch can tell."""
    DENIED = auto()
    """The other side does not want it, now or later."""
    UNSAID = auto()
    """Nothing was said of the ref: the words may tell why."""


def push_verdict(ended: Ended) -> tuple[Verdict, str]:
    """Read what `git push --porcelain` of one ref said, with the other side's words.

    https://git-scm.com/docs/git-push#_output: a line of flag, refs and summary, tab by tab.
    """
    if ended.status == 0:
        return Verdict.LANDED, ""
    reasons = [
        line.split("\t")[-1]
        for line in ended.output.decode(errors="replace").splitlines()
        if line.startswith("!\t")
    ]
    if not reasons:
        return Verdict.UNSAID, ended.words
    reason = reasons[0]
    if _LOST.search(reason):
        return Verdict.LOST, clean(reason)
    if _UNCLEAR.search(reason):
        return Verdict.UNCLEAR, clean(reason)
    return Verdict.DENIED, clean(f"{reason} {_remote_words(ended.complaint)}")


def _remote_words(complaint: str) -> str:
    lines = [line.strip() for line in complaint.splitlines()]
    return " ".join(
        line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")
    )
