"""The warm bare clone: what of the branch is on this machine, and the git commands that move it.

It holds the branch's whole history, for the trailers in it are the memory of what was written, and
all blobs, for they are small beside the trees: nothing has to be fetched while a bump waits. There
is no work tree and no index, so none can be stale or locked. It is a cache: whatever is wrong with
it, it is made anew.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from hub.clients.git import Ended, Git
from hub.clients.git_credential import CredentialPlace
from hub.clients.gitops.commits import NewCommit, import_script
from hub.clients.gitops.history import LOG_FORMAT, MARK, History, read_log
from hub.clients.gitops.remote import Remote, Verdict, push_verdict, remote_trouble
from hub.clients.gitops.snapshot import Tree, read_blobs, small_blobs
from hub.errors import PermanentError, TemporaryError

T = TypeVar("T")

_TIP = "refs/trunkline/tip"
"""The branch as it was fetched, and then the commits that are to be pushed on top of it."""

_LOCAL_SECONDS = 60.0
_PUSH_SECONDS = 120.0
_FETCH_SECONDS = 600.0
"""The first fetch brings the whole history."""


class CloneBroken(TemporaryError):
    """Git failed for no reason that the remote gave: the clone has to be made anew."""


class PushLost(TemporaryError):
    """The branch has moved, or may have: fetch, decide again, push again."""


class PushDenied(PermanentError):
    """The other side does not take these commits."""


class Clone:
    """One branch of one remote. What is done with it is done by one caller at a time: `alone`."""

    def __init__(self, *, remote: Remote, folder: Path, credentials: CredentialPlace) -> None:
        """`folder` is the clone's own."""
        self.history = History()
        """What was written to the branch, up to what was fetched last."""
        self._remote = remote
        self._folder = folder
        self._home = folder.with_suffix(".home")
        self._credentials = credentials
        self._git = Git(folder=folder, home=self._home, protocol=remote.protocol)
        self._turn = asyncio.Lock()
        self._log = structlog.get_logger()

    async def alone(self, job: Callable[[], Awaitable[T]]) -> T:
        """Do something with the clone while nobody else does.

        Where the clone turns out to be broken it is made anew, and the job is done once more.
        """
        async with self._turn:
            try:
                return await job()
            except CloneBroken as error:
                self._log.warning("gitops_clone_discarded", problem=str(error))
                await asyncio.to_thread(_remove, self._folder)
                return await job()

    async def fetch(self) -> str:
        """Bring the clone and the history up to date, making the clone where there is none.

        Returns the branch's tip. Raises CloneBroken, TemporaryError and PermanentError.
        """
        if not self._exists():
            await self._create()
        ended = await self._git.run(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head"),
            values=(self._remote.url, f"+{self._remote.ref}:{_TIP}"),
            timeout=_FETCH_SECONDS,
            credential=self._credentials.read(),
        )
        if ended.status:
            raise self._trouble(ended)
        output = await self._local("for-each-ref", "--format=%(objectname)", _TIP)
        tip = output.decode().strip()
        if not tip:
            raise CloneBroken("the fetched branch is not in the clone")
        if tip != self.history.tip:
            await self._read_history(tip)
        return tip

    async def has(self, commit: str) -> bool:
        """Whether a commit is in the clone."""
        if not self._exists():
            return False
        found = await self._local("cat-file", "--batch-check", stdin=f"{commit}\n".encode())
        return found.split(b" ")[1] == b"commit"

    async def tree(self, commit: str) -> Tree:
        """Return the files of a commit."""
        return Tree(await self._local("ls-tree", "-r", "-z", "--full-tree", values=(commit,)))

    async def blobs(self, blobs: Iterable[str]) -> Mapping[str, bytes]:
        """Return the contents of these blobs by SHA, without those that are too large."""
        wanted = "".join(f"{blob}\n" for blob in blobs).encode()
        small = small_blobs(await self._local("cat-file", "--batch-check", stdin=wanted))
        if small is None:
            raise CloneBroken("a file of the fetched branch is not in the clone")
        asked = "".join(f"{blob}\n" for blob in small).encode()
        return read_blobs(await self._local("cat-file", "--batch", stdin=asked))

    async def write(
        self, commits: Sequence[NewCommit], *, parent: str, person: str
    ) -> Sequence[str]:
        """Make these commits on top of `parent`, the fetched tip; return their SHAs in order."""
        script = import_script(commits, ref=_TIP, parent=parent, person=person)
        output = await self._local("fast-import", "--quiet", "--done", stdin=script)
        return output.decode().split()

    async def push(self, tip: str, *, expected: str) -> None:
        """Move the branch from `expected` to `tip`, a descendant of it, or not at all.

        The lease makes that a compare-and-set. A push without it would also succeed on a branch
        that was wound back meanwhile, and bring back what somebody has just taken away. As every
        chain starts at `expected`, what is pushed is always a fast-forward.
        Raises PushLost, PushDenied, CloneBroken, PermanentError.
        """
        ended = await self._git.run(
            *("push", "--porcelain", "--quiet", "--no-verify"),
            f"--force-with-lease={self._remote.ref}:{expected}",
            values=(self._remote.url, f"{tip}:{self._remote.ref}"),
            timeout=_PUSH_SECONDS,
            credential=self._credentials.read(),
        )
        verdict, words = push_verdict(ended)
        match verdict:
            case Verdict.LANDED:
                await self._read_history(tip)
            case Verdict.LOST | Verdict.UNCLEAR:
                raise PushLost(f"the push to {self._remote.branch} did not land: {words}")
            case Verdict.DENIED:
                raise PushDenied(f"the gitops repository refuses the push: {words}")
            case Verdict.UNSAID:
                trouble = self._trouble(ended)
                # A remote that went away may have taken the commits before it did.
                raise PushLost(str(trouble)) if type(trouble) is TemporaryError else trouble

    def _exists(self) -> bool:
        return (self._folder / "HEAD").is_file()

    async def _create(self) -> None:
        try:
            await asyncio.to_thread(_remove, self._folder)
            self._folder.mkdir(parents=True)
            self._home.mkdir(exist_ok=True)
        except OSError as error:
            raise TemporaryError(f"the clone cannot be made: {error.strerror}") from error
        await self._local("init", "--bare", "--quiet", "--template=", "--initial-branch=none")

    async def _read_history(self, tip: str) -> None:
        history = self.history
        if history.tip and not await self._is_ancestor(history.tip, tip):
            # Somebody has rewritten the branch.
            history = History()
        output = await self._local(
            *("log", "-z", "--topo-order", "--reverse", f"--format={LOG_FORMAT}"),
            f"--grep=^{MARK}: ",
            values=(tip, f"^{history.tip}") if history.tip else (tip,),
        )
        # A long history takes seconds to read the first time.
        await asyncio.to_thread(history.advance, tip, read_log(output))
        self.history = history

    async def _is_ancestor(self, old: str, tip: str) -> bool:
        ended = await self._git.run(
            "merge-base", "--is-ancestor", values=(old, tip), timeout=_LOCAL_SECONDS
        )
        return ended.status == 0

    async def _local(self, *command: str, values: Sequence[str] = (), stdin: bytes = b"") -> bytes:
        ended = await self._git.run(*command, values=values, stdin=stdin, timeout=_LOCAL_SECONDS)
        if ended.status:
            raise CloneBroken(f"git {command[0]} failed: {ended.words}")
        return ended.output

    def _trouble(self, ended: Ended) -> TemporaryError | PermanentError:
        trouble = remote_trouble(ended, self._credentials.where)
        return trouble or CloneBroken(f"git failed: {ended.words or f'status {ended.status}'}")


def _remove(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.unlink(missing_ok=True)
