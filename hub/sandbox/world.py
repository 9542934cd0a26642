"""`World`: everything around the hub, on loopback, with a sample platform in it.

It is entered and left like a file. What it is made of is reached by name (`world.github`,
`world.argocd` ...); who is to be told of what is told by `connect`.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import yaml

from hub.sandbox import credentials, installation
from hub.sandbox.argocd import ArgoCD, Notifications
from hub.sandbox.argocd.applications import NAMESPACE as ARGOCD_NAMESPACE
from hub.sandbox.argocd.notifications import Service
from hub.sandbox.clock import Clock
from hub.sandbox.crossplane import Crossplane
from hub.sandbox.faults import Faults
from hub.sandbox.github import GitHub
from hub.sandbox.github.hooks import Hook
from hub.sandbox.history import Commit
from hub.sandbox.installation import (
    FORKS_NAMESPACE,
    HUB_NAMESPACE,
    PIPELINE,
    TEKTON_NAMESPACE,
    Addresses,
)
from hub.sandbox.kubernetes import (
    APPLICATIONS,
    COMPOSITES,
    DATABASES,
    EVENTS,
    LEASES,
    PIPELINE_RUNS,
    TASK_RUNS,
    Access,
    Cluster,
    KubernetesApi,
    Rule,
)
from hub.sandbox.kubernetes.cluster import merge
from hub.sandbox.pace import Pace
from hub.sandbox.pagerduty import PagerDuty
from hub.sandbox.repository import Repository
from hub.sandbox.samples import (
    ENVIRONMENTS,
    GITOPS,
    OWNER,
    REGISTRY,
    SOURCE,
    Release,
    gitops_files,
    image_of,
)
from hub.sandbox.slack import Slack
from hub.sandbox.tekton import Tekton, digest_of

SAMPLE_SERVICE = "order-service"
_READ = frozenset({"get", "list", "watch"})


class World:
    """GitHub, a cluster with Tekton and Argo CD, Slack and PagerDuty."""

    def __init__(
        self,
        *,
        scratch: Path,
        stage_seconds: float = 0.0,
        notification_retry_seconds: float = 0.01,
    ) -> None:
        """Everything on disk goes into `scratch`, a folder that is there and empty.

        `stage_seconds` is how long each stage of a pipeline run and of a sync takes.
        `notification_retry_seconds` is the first of the three pauses after which Argo CD gives a
        notification up for ever; its own is 1, which outlives a hub that restarts.
        """
        self.faults = Faults()
        self.credentials = credentials.draw(scratch / "secrets")
        clock, keys = Clock(), self.credentials
        self.github = GitHub(
            faults=self.faults, folder=scratch / "git", clock=clock, token=keys.github_token.text
        )
        self.cluster = Cluster(
            namespaces=[
                *(TEKTON_NAMESPACE, FORKS_NAMESPACE, ARGOCD_NAMESPACE, HUB_NAMESPACE),
                *ENVIRONMENTS,
            ]
        )
        self.kubernetes = KubernetesApi(
            cluster=self.cluster, faults=self.faults, accounts=(_hub(keys.kubernetes_token.text),)
        )
        self.tekton = Tekton(
            cluster=self.cluster,
            pace=Pace(stage_seconds=stage_seconds),
            pipelines=[PIPELINE],
            registry=REGISTRY,
        )
        self.gitops = self.github.create_repository(GITOPS)
        self.argocd = ArgoCD(
            cluster=self.cluster,
            gitops=self.gitops,
            address=lambda: self.addresses.gitops,
            clock=clock,
            pace=Pace(stage_seconds=stage_seconds),
            automated=ENVIRONMENTS[:2],
            notifications=Notifications(
                cluster=self.cluster, retry_seconds=notification_retry_seconds
            ),
        )
        self.crossplane = Crossplane(cluster=self.cluster, clock=clock, namespace=ENVIRONMENTS[-1])
        self.slack = Slack(faults=self.faults, token=keys.slack_token.text)
        self.pagerduty = PagerDuty(faults=self.faults, routing_key=keys.pagerduty_key.text)
        self._hub_url = ""
        self._hooks: list[Hook] = []
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as started:
            for part in (self.github, self.kubernetes, self.slack, self.pagerduty, self.tekton):
                started.push_async_callback(part.stop)
                await part.start()
            await self.gitops.commit("main", "Begin", {"README.md": "# What runs where\n"})
            await self.add_services([SAMPLE_SERVICE])
            started.push_async_callback(self.argocd.stop)
            await self.argocd.start()
            await self.argocd.settled()
            for environment in ENVIRONMENTS[2:]:
                await self.argocd.sync(f"{SAMPLE_SERVICE}-{environment}")
            self._running = started.pop_all()
        return self

    async def __aexit__(self, *_error: object) -> None:
        # What is held back must not hold up the end.
        self.faults.clear()
        await self._running.aclose()

    @property
    def addresses(self) -> Addresses:
        """Where everything is, known once the world has been entered."""
        return Addresses(
            github_api=self.github.url,
            git=self.github.git.url,
            gitops=f"{self.github.git.url}/{GITOPS}.git",
            kubernetes=self.kubernetes.url,
            slack_api=self.slack.url,
            pagerduty_events=self.pagerduty.url,
        )

    def connect(self, hub_url: str) -> None:
        """Let GitHub, Tekton and Argo CD tell the hub at this address, and no longer another."""
        self._hub_url = hub_url
        for hook in self._hooks:
            self.github.webhooks.remove(hook)
        self._hooks.clear()
        for name in self.github.repositories:
            self._add_hook(name)
        self.tekton.events.sink = f"{hub_url}/webhooks/tekton/{self.credentials.tekton_key.text}"
        self.argocd.notifications.service = Service(
            url=f"{hub_url}/webhooks/argocd", token=self.credentials.argocd_token.text
        )

    async def add_services(self, names: Sequence[str]) -> None:
        """Add services, each with a source repository; one commit brings all to the gitops one."""
        files: dict[str, str] = {}
        for name in names:
            repository = await self._create_source(name)
            revision = repository.refs[f"refs/heads/{repository.default_branch}"]
            digest = digest_of(image_of(name), revision)
            files |= gitops_files(Release(service=name, revision=revision, digest=digest))
            if self._hub_url:
                self._add_hook(repository.name)
        await self.gitops.commit("main", f"Add {', '.join(names[:3])}", files)

    async def push(
        self,
        service: str = SAMPLE_SERVICE,
        *,
        branch: str = "main",
        message: str = "Change it",
        files: Mapping[str, str | bytes | None] | None = None,
    ) -> Commit:
        """Commit to a service's source and push, as its developers do."""
        return await self.github.push(f"{OWNER}/{service}", branch, message, files)

    def running(self, service: str, environment: str) -> Sequence[str]:
        """Return the images that run in an environment, as Argo CD has deployed them."""
        app = self.cluster.get(APPLICATIONS, ARGOCD_NAMESPACE, f"{service}-{environment}")
        images: list[str] = app["status"].get("summary", {}).get("images", [])
        return images

    async def settled(self) -> None:
        """Wait until the world does nothing more by itself; what the hub does is not waited for."""
        await self.github.settled()
        await self.tekton.settled()
        await self.argocd.settled()

    def write_settings(
        self,
        file: Path,
        *,
        state: Path,
        port: int,
        admin_port: int,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a whole settings file for a hub in this world, with `changes` merged into it."""
        content = installation.settings(
            self.addresses, self.credentials, state=state, port=port, admin_port=admin_port
        )
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(merge(content, changes or {}), sort_keys=False))

    async def _create_source(self, service: str) -> Repository:
        """Create a source repository; all begin with the same commit, which costs no time."""
        first = self.github.find(f"{OWNER}/{SAMPLE_SERVICE}")
        repository = self.github.create_repository(f"{OWNER}/{service}", like=first)
        if first is None:
            await repository.commit("main", "Begin", SOURCE)
        return repository

    def _add_hook(self, repository: str) -> None:
        if repository == GITOPS:
            return
        hook = self.github.add_hook(
            repository,
            url=f"{self._hub_url}/webhooks/github",
            secret=self.credentials.github_webhook.text,
        )
        self._hooks.append(hook)


def _hub(token: str) -> Access:
    """Return the hub's service account: it creates runs and ends them, and otherwise only looks.

    The lease says which of several processes looks.
    """
    rules = (
        *(
            Rule(kind=PIPELINE_RUNS, verbs=_READ | {"create", "patch"}, namespace=namespace)
            for namespace in (TEKTON_NAMESPACE, FORKS_NAMESPACE)
        ),
        *(Rule(kind=kind, verbs=frozenset({"list"})) for kind in (TASK_RUNS, EVENTS)),
        *(Rule(kind=kind, verbs=_READ) for kind in (APPLICATIONS, *COMPOSITES, DATABASES)),
        Rule(kind=LEASES, verbs=frozenset({"create", "get", "update"}), namespace=HUB_NAMESPACE),
    )
    return Access(user="system:serviceaccount:trunkline:trunkline", token=token, rules=rules)
