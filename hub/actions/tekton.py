"""Tekton: start a PipelineRun, cancel what it supersedes, and read one back from the cluster.

API: https://tekton.dev/docs/pipelines/pipelineruns/ (tekton.dev/v1).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Self

from hub.actions.action import Action
from hub.events.tekton import PipelineRunFinished, PipelineRunStarted
from hub.events.trunkline import PipelineRunQueued

_PARTS = 3
"""Of a run's identity: namespace, name, uid."""


class RunState(StrEnum):
    """What a PipelineRun's `Succeeded` condition says, in one word."""

    PENDING = "pending"
    """Created, and held back until it is its turn."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"
    GONE = "gone"
    """No such run in the cluster (any more), or one with another uid."""

    @property
    def finished(self) -> bool:
        """Whether nothing more will come of the run."""
        return self not in {RunState.PENDING, RunState.RUNNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """A PipelineRun as the cluster has it now."""

    namespace: str
    name: str
    state: RunState
    uid: str = ""
    pipeline: str = ""
    service: str = ""
    repository: str = ""
    """`owner/name` on GitHub."""
    branch: str = ""
    """Empty for a pull request."""
    revision: str = ""
    """The source commit's SHA."""
    ref: str = ""
    """`refs/heads/...` or `refs/pull/<n>/head`."""
    pull_request: int | None = None
    fork: bool = False
    attempt: int = 1
    """1 for the first run of this commit, one more each time it was asked for again."""
    failed_tasks: tuple[str, ...] = ()
    """The pipeline's tasks that failed, where it did."""
    reason: str = ""
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    results: dict[str, str] = field(default_factory=dict)
    """The pipeline's string results, by name."""

    @property
    def identity(self) -> str:
        """What tells this run from all others; see `ReadPipelineRun.of_identity`."""
        return f"{self.namespace}/{self.name}/{self.uid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPipelineRun(Action[PipelineRun]):
    """Create the PipelineRun that builds one commit.

    The run's name is derived from (repository, ref, revision, pipeline, attempt), so creating it
    twice makes one run: "already exists" with our label is success.
    """

    name: ClassVar[str] = "tekton.start_pipeline_run"
    result: ClassVar[type] = PipelineRun

    pipeline: str
    service: str
    repository: str
    clone_url: str
    ref: str
    """`refs/heads/...` or `refs/pull/<n>/head`: data for people, never given to git."""
    revision: str
    push_image: bool
    """Whether the built image is pushed: not for pull requests."""
    attempt: int = 1
    pull_request: int | None = None
    """The number of the pull request that is built, if it is one."""
    fork: bool = False
    """Whether the commit is a stranger's: it runs apart, without secrets (`kubernetes.forks`)."""

    def supposed(self) -> PipelineRun:
        """A run that has just been created."""
        return PipelineRun(
            namespace="supposed",
            name="supposed",
            state=RunState.RUNNING,
            pipeline=self.pipeline,
            service=self.service,
            repository=self.repository,
            branch=self.ref.removeprefix("refs/heads/")
            if self.ref.startswith("refs/heads/")
            else "",
            revision=self.revision,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSuperseded(Action[tuple[str, ...]]):
    """Cancel the unfinished runs of a pull request that build another commit than its head.

    The result is the names of the runs that were cancelled. One that has finished in the meantime
    is left alone, so doing it again changes nothing.
    """

    name: ClassVar[str] = "tekton.cancel_superseded"
    result: ClassVar[object] = tuple[str, ...]

    service: str
    repository: str
    pull_request: int
    head: str
    """The commit that the pull request is at, as GitHub says: its runs go on."""
    fork: bool = False

    def supposed(self) -> tuple[str, ...]:
        """There were none."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePipelineRuns(Action[tuple[str, ...]]):
    """Let a service's pending runs begin, the oldest first, as far as its limit allows.

    The result is the names of those that go on waiting. What runs is counted in the cluster.
    """

    name: ClassVar[str] = "tekton.release_pipeline_runs"
    result: ClassVar[object] = tuple[str, ...]

    namespace: str
    service: str

    def supposed(self) -> tuple[str, ...]:
        """None waits."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPipelineRun(Action[PipelineRun]):
    """Read a run from the cluster: what an unsigned event says of it is only a hint."""

    name: ClassVar[str] = "tekton.read_pipeline_run"
    result: ClassVar[type] = PipelineRun
    reads: ClassVar[bool] = True

    namespace: str
    run: str
    uid: str
    finished: bool = False
    """Whether an event says that the run has finished: while the cluster says that it still runs,
    it is asked again later. So an event that is ahead of the truth, or forged, loses nothing."""

    @classmethod
    def told_of_by(
        cls, event: PipelineRunQueued | PipelineRunStarted | PipelineRunFinished
    ) -> Self:
        """Read the run that an event tells of."""
        return cls(
            namespace=event.namespace,
            run=event.name,
            uid=event.uid,
            finished=isinstance(event, PipelineRunFinished),
        )

    @classmethod
    def of_identity(cls, identity: str) -> Self | None:
        """Read the run of which this is the identity; None for what is none."""
        parts = identity.split("/")
        if len(parts) != _PARTS or not all(parts):
            return None
        namespace, run, uid = parts
        return cls(namespace=namespace, run=run, uid=uid)

    def supposed(self) -> PipelineRun:
        """No such run."""
        return PipelineRun(namespace=self.namespace, name=self.run, state=RunState.GONE)
