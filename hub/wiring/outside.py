"""The clients of the outside systems that the settings name, and which action each performs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from hub.actions.action import Call, Performers
from hub.actions.argocd import ReadApplication
from hub.actions.crossplane import ReadComposite
from hub.actions.github import (
    FindCheckRun,
    KeepCheckRun,
    MayWrite,
    PullRequestNow,
    ReadPullRequest,
    SetCommitStatus,
)
from hub.actions.gitops import BumpImage, ReadImage
from hub.actions.pagerduty import ResolveIncident, SendChangeEvent, TriggerIncident
from hub.actions.slack import KeepMessage, ReplyInThread
from hub.actions.tekton import (
    CancelSuperseded,
    ReadPipelineRun,
    ReleasePipelineRuns,
    StartPipelineRun,
)
from hub.bus.interface import Bus
from hub.clients.argocd import ArgoCD
from hub.clients.crossplane import Crossplane
from hub.clients.github import GitHub
from hub.clients.gitops import Gitops
from hub.clients.http import Http
from hub.clients.kubernetes import Kubernetes
from hub.clients.pagerduty import PagerDuty
from hub.clients.slack import Slack
from hub.clients.tekton import Tekton
from hub.dispatch.own_actions import OwnActions
from hub.journal.interface import Journal, Records
from hub.settings import GitHubSettings, KubernetesSettings, Settings
from hub.wiring.clock import SYSTEM_CLOCKS, Clocks
from hub.wiring.secrets import Secrets


def _link_hosts(settings: Settings) -> tuple[str, ...]:
    urls = (settings.platform.run_url, settings.platform.application_url)
    return tuple(urlsplit(url).hostname or "" for url in urls if url)


@asynccontextmanager
async def outside(
    settings: Settings, secrets: Secrets, records: Records, *, clocks: Clocks
) -> AsyncIterator[dict[Any, Any]]:
    """Open the clients that the settings name, and yield which action is performed by which."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(Http(monotonic=clocks.monotonic, wall=clocks.wall))
        performers: dict[Any, Any] = {ReadPullRequest: _unknown_pull}
        github = GitHub(
            settings=settings.github or GitHubSettings(), http=http, token=secrets.github
        )
        if settings.github:
            performers |= {
                SetCommitStatus: github.set_status,
                KeepCheckRun: github.keep_check,
                FindCheckRun: github.find_check,
                ReadPullRequest: github.read_pull,
                MayWrite: github.may_write,
            }
        if settings.kubernetes:
            performers |= _cluster(settings, settings.kubernetes, secrets, http)
        if settings.gitops:
            gitops = Gitops(
                settings=settings.gitops,
                order=github,
                state=settings.state,
                token=secrets.gitops,
                monotonic=clocks.monotonic,
                wall=clocks.wall,
            )
            stack.push_async_callback(gitops.close)
            performers |= {BumpImage: gitops.bump, ReadImage: gitops.read}
        if settings.slack and secrets.slack:
            slack = Slack(
                settings=settings.slack,
                http=http,
                token=secrets.slack,
                records=records,
                link_hosts=_link_hosts(settings),
                seconds_per_message=settings.slack.seconds_per_message,
            )
            performers |= {KeepMessage: slack.keep, ReplyInThread: slack.reply}
        if settings.pagerduty and secrets.pagerduty:
            pagerduty = PagerDuty(
                settings=settings.pagerduty, http=http, routing_key=secrets.pagerduty
            )
            performers |= {
                TriggerIncident: pagerduty.trigger,
                ResolveIncident: pagerduty.resolve,
                SendChangeEvent: pagerduty.change,
            }
        yield performers


async def _unknown_pull(_action: ReadPullRequest, _call: Call) -> PullRequestNow | None:
    """Answer where no GitHub is configured: builds go on, and nothing is superseded."""
    return None


def _cluster(
    settings: Settings, cluster: KubernetesSettings, secrets: Secrets, http: Http
) -> dict[Any, Any]:
    kubernetes = Kubernetes(settings=cluster, http=http, token=secrets.kubernetes)
    tekton = Tekton(settings=cluster, kubernetes=kubernetes)
    crossplane = Crossplane(kubernetes, groups=settings.watcher.groups if settings.watcher else ())
    return {
        StartPipelineRun: tekton.start,
        ReadPipelineRun: tekton.read,
        CancelSuperseded: tekton.cancel_superseded,
        ReleasePipelineRuns: tekton.release,
        ReadApplication: ArgoCD(kubernetes).read,
        ReadComposite: crossplane.read,
    }


@asynccontextmanager
async def reading_performers(
    settings: Settings, secrets: Secrets, *, bus: Bus, journal: Journal, records: Records
) -> AsyncIterator[Performers]:
    """Open what a dry run looks at the world with: only the actions that read.

    Its clone of the gitops repository is not that of a hub that runs: each has one user at a time.
    """
    settings = settings.model_copy(update={"state": settings.state / "dry-run"})
    own = OwnActions(
        bus=bus,
        journal=journal,
        records=records,
        instance=settings.instance,
        clock=SYSTEM_CLOCKS.wall,
    )
    async with outside(settings, secrets, records, clocks=SYSTEM_CLOCKS) as performers:
        everything = {**performers, **own.performers()}
        yield {action: do for action, do in everything.items() if action.reads}
