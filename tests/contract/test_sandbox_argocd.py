"""The sandbox's Argo CD: what it makes of the gitops repository, and whom it tells."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from aiohttp import web

from hub.sandbox.argocd import ArgoCD, Notifications
from hub.sandbox.argocd.notifications import Service
from hub.sandbox.argocd.rendering import TRIGGERS, body, fired
from hub.sandbox.clock import Clock
from hub.sandbox.kubernetes import APPLICATIONS, Cluster
from hub.sandbox.loopback import Loopback
from hub.sandbox.pace import Pace
from hub.sandbox.repository import Repository

TOKEN = "a-token-that-argocd-sends"
DIGEST = "sha256:" + "a" * 64
RENDERED = Path(__file__).parents[1] / "data" / "argocd" / "rendered"
CHECKED = Path(__file__).parents[2] / "argocd" / "notifications" / "applications"
APPLICATION_FILES = sorted([*(RENDERED.parent / "applications").iterdir(), *CHECKED.iterdir()])


class _Loader(yaml.SafeLoader):
    """Leaves times as the text they are, as Go's JSON does."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, form) for tag, form in forms if not tag.endswith(":timestamp")]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def overlay(environment: str, tag: str, service: str = "order-service") -> dict[str, str]:
    path = f"services/{service}/overlays/{environment}/kustomization.yaml"
    return {
        path: f"""\
resources:
  - ../../base
images:
  - name: {service}
    newName: registry.company.example/company/{service} # written by the hub
    newTag: "{tag}"
    digest: {DIGEST}
"""
    }


@dataclass
class Listener:
    """Takes notifications, after failing as often as told."""

    failures: int = 0
    status: int = 503
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        if self.failures > 0:
            self.failures -= 1
            return web.Response(status=self.status)
        self.requests.append((request.headers["Authorization"], await request.json()))
        return web.Response(status=202)

    def states(self, name: str) -> list[tuple[str, str | None, str | None]]:
        mine = [told for _, told in self.requests if told["app"]["metadata"]["name"] == name]
        return [
            (
                told["about"],
                told["app"]["status"]["operationState"]["phase"],
                told["app"]["status"]["health"]["status"],
            )
            for told in mine
        ]


@dataclass
class Setting:
    argocd: ArgoCD
    gitops: Repository
    cluster: Cluster
    listener: Listener

    def app(self, name: str) -> dict[str, Any]:
        return self.cluster.get(APPLICATIONS, "argocd", name)

    def status(self, name: str) -> tuple[str, str, str]:
        status = self.app(name)["status"]
        phase = status.get("operationState", {}).get("phase", "")
        return status["sync"]["status"], phase, status["health"]["status"]


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    clock, cluster, listener = Clock(), Cluster(namespaces=["argocd"]), Listener()
    gitops = Repository(name="company/platform-gitops", folder=tmp_path / "g.git", clock=clock)
    gitops.create()
    environments = ("dev", "staging", "production")
    files = {path: text for one in environments for path, text in overlay(one, "first").items()}
    await gitops.commit("main", "Begin", {**files, "services/order-service/base/app.yaml": "x"})
    argocd = ArgoCD(
        cluster=cluster,
        gitops=gitops,
        address=lambda: "http://127.0.0.1:9/company/platform-gitops.git",
        clock=clock,
        pace=Pace(stage_seconds=0),
        automated=["dev", "staging"],
        notifications=Notifications(cluster=cluster),
    )
    app = web.Application()
    app.router.add_post("/webhooks/argocd", listener.take)
    server = Loopback(app)
    url = await server.start() + "/webhooks/argocd"
    argocd.notifications.service = Service(url=url, token=TOKEN)
    await argocd.start()
    await argocd.settled()
    yield Setting(argocd=argocd, gitops=gitops, cluster=cluster, listener=listener)
    await argocd.stop()
    await server.stop()


async def test_every_overlay_is_an_application(setting: Setting) -> None:
    names = [app["metadata"]["name"] for app in setting.cluster.applications()]
    expected = ["order-service-dev", "order-service-production", "order-service-staging"]
    assert sorted(names) == expected
    staging = setting.app("order-service-staging")
    assert staging["metadata"]["labels"] == {
        "trunkline.dev/service": "order-service",
        "trunkline.dev/environment": "staging",
    }
    assert staging["status"]["summary"]["images"] == [
        f"registry.company.example/company/order-service:first@{DIGEST}"
    ]


async def test_dev_syncs_by_itself_and_production_when_told(setting: Setting) -> None:
    assert setting.status("order-service-dev") == ("Synced", "Succeeded", "Healthy")
    assert setting.status("order-service-production") == ("OutOfSync", "", "Missing")
    await setting.argocd.sync("order-service-production")
    assert setting.status("order-service-production") == ("Synced", "Succeeded", "Healthy")
    operation = setting.app("order-service-production")["status"]["operationState"]["operation"]
    assert operation["initiatedBy"] == {"username": "release-manager"}


async def test_a_bump_is_synced_where_it_changes_something(setting: Setting) -> None:
    before = setting.app("order-service-dev")
    commit = await setting.gitops.commit("main", "Bump", overlay("staging", "second"))
    await setting.argocd.settled()
    staging = setting.app("order-service-staging")["status"]
    assert staging["operationState"]["syncResult"]["revision"] == commit.sha
    assert staging["summary"]["images"][0].endswith(f":second@{DIGEST}")
    assert [one["id"] for one in staging["history"]] == [0, 1]
    assert setting.app("order-service-dev") == before


async def test_a_change_of_the_base_is_synced_everywhere(setting: Setting) -> None:
    await setting.gitops.commit("main", "Tune", {"services/order-service/base/app.yaml": "y"})
    await setting.argocd.settled()
    for environment in ("dev", "staging"):
        assert len(setting.app(f"order-service-{environment}")["status"]["history"]) == 2


async def test_no_two_operations_start_in_the_same_second(setting: Setting) -> None:
    starts, healthy = set(), set()
    for number in range(5):
        await setting.gitops.commit("main", "Bump", overlay("dev", f"tag-{number}"))
        await setting.argocd.settled()
        status = setting.app("order-service-dev")["status"]
        starts.add(status["operationState"]["startedAt"])
        healthy.add(status["health"]["lastTransitionTime"])
        assert status["operationState"]["startedAt"] <= status["operationState"]["finishedAt"]
    assert len(starts) == len(healthy) == 5


async def test_a_new_service_gets_its_applications(setting: Setting) -> None:
    await setting.gitops.commit("main", "Add it", overlay("dev", "first", "cart-service"))
    await setting.argocd.settled()
    assert setting.status("cart-service-dev") == ("Synced", "Succeeded", "Healthy")


async def test_the_states_of_a_sync_are_told_in_order(setting: Setting) -> None:
    setting.listener.requests.clear()
    await setting.gitops.commit("main", "Bump", overlay("dev", "second"))
    await setting.argocd.settled()
    assert setting.listener.states("order-service-dev") == [
        ("operation", "Running", "Healthy"),
        ("operation", "Succeeded", "Progressing"),
        ("health", "Succeeded", "Healthy"),
        ("deployed", "Succeeded", "Healthy"),
    ]
    assert {token for token, _ in setting.listener.requests} == {f"Bearer {TOKEN}"}


async def test_a_failed_sync_is_told_and_not_tried_again(setting: Setting) -> None:
    setting.argocd.fail_next_sync("order-service-dev", 'quota "x"\nexceeded')
    await setting.gitops.commit("main", "Bump", overlay("dev", "second"))
    await setting.argocd.settled()
    assert setting.status("order-service-dev") == ("OutOfSync", "Failed", "Healthy")
    _, last = setting.listener.requests[-1]
    assert last["app"]["status"]["operationState"]["message"] == 'quota "x"\nexceeded'
    await setting.gitops.commit("main", "Bump again", overlay("dev", "third"))
    await setting.argocd.settled()
    assert setting.status("order-service-dev") == ("Synced", "Succeeded", "Healthy")


async def test_what_cannot_be_rendered_is_not_synced(setting: Setting) -> None:
    path = "services/order-service/overlays/dev/kustomization.yaml"
    for broken in ("images: [", "images:\n  - name: x\n    newTag: 123456789012\n"):
        await setting.gitops.commit("main", "Break it", {path: broken})
        await setting.argocd.settled()
        assert setting.status("order-service-dev") == ("Unknown", "Succeeded", "Healthy")
        (condition,) = setting.app("order-service-dev")["status"]["conditions"]
        assert condition["type"] == "ComparisonError"
    await setting.gitops.commit("main", "Mend it", overlay("dev", "second"))
    await setting.argocd.settled()
    assert setting.status("order-service-dev") == ("Synced", "Succeeded", "Healthy")
    assert "conditions" not in setting.app("order-service-dev")["status"]


async def test_health_goes_and_comes_back(setting: Setting) -> None:
    setting.listener.requests.clear()
    setting.argocd.degrade("order-service-dev", "back-off restarting failed container")
    degraded = setting.app("order-service-dev")["status"]["health"]
    setting.argocd.recover("order-service-dev")
    await setting.argocd.settled()
    assert degraded["message"] == "back-off restarting failed container"
    recovered = setting.app("order-service-dev")["status"]["health"]
    assert recovered["status"] == "Healthy"
    assert recovered["lastTransitionTime"] > degraded["lastTransitionTime"]
    told = [state for about, _, state in setting.listener.states("order-service-dev")]
    assert told == ["Degraded", "Healthy"]


async def test_a_held_sync_is_running_until_it_is_released(setting: Setting) -> None:
    setting.argocd.pace.hold()
    await setting.gitops.commit("main", "Bump", overlay("dev", "second"))
    await setting.cluster.until(
        APPLICATIONS,
        lambda app: app["status"].get("operationState", {}).get("phase") == "Running",
    )
    setting.argocd.pace.release()
    await setting.argocd.settled()
    assert setting.status("order-service-dev") == ("Synced", "Succeeded", "Healthy")


async def test_a_notification_is_tried_four_times_and_then_lost(setting: Setting) -> None:
    setting.listener.requests.clear()
    setting.listener.failures = 3
    setting.argocd.degrade("order-service-dev", "first")
    await setting.argocd.settled()
    assert len(setting.listener.requests) == 1
    setting.listener.failures = 4
    setting.argocd.recover("order-service-dev")
    await setting.argocd.settled()
    assert len(setting.listener.requests) == 1
    assert setting.argocd.notifications.lost == ["on-trunkline-health-healthy"]


async def test_a_notification_that_is_refused_is_final(setting: Setting) -> None:
    setting.listener.requests.clear()
    setting.listener.failures, setting.listener.status = 1, 401
    setting.argocd.degrade("order-service-dev", "first")
    await setting.argocd.settled()
    assert setting.listener.requests == []


async def test_a_notification_can_come_twice(setting: Setting) -> None:
    setting.listener.requests.clear()
    setting.argocd.notifications.repeat("order-service-dev")
    await setting.argocd.settled()
    first = list(setting.listener.requests)
    setting.argocd.notifications.repeat("order-service-dev")
    await setting.argocd.settled()
    assert setting.listener.requests == first * 2


@pytest.mark.parametrize("file", APPLICATION_FILES, ids=lambda file: file.stem)
def test_what_is_told_is_what_argo_cds_own_engine_tells(file: Path) -> None:
    app = yaml.load(file.read_text(), Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    folder = RENDERED / file.stem
    for trigger in TRIGGERS:
        golden = json.loads((folder / f"trunkline-{trigger.about}.json").read_text())
        assert json.loads(body(trigger, app)) == golden
    told = {trigger.name for trigger, _ in fired(app)}
    assert told == {one["trigger"] for one in json.loads((folder / "fired.json").read_text())}
