"""The sandbox world as a whole: that it stands, that a hub can be wired to it, that it goes."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hub.configuration import load
from hub.sandbox.git import git
from hub.sandbox.loopback import Loopback
from hub.sandbox.world import World
from hub.secrets import KeyRing, SecretPlace

SERVICE = "order-service"


@dataclass
class Hub:
    """Stands where the hub would, and notes who called."""

    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        self.calls.append((request.path, dict(request.headers), await request.read()))
        return web.Response(status=202)

    def doors(self) -> set[str]:
        return {path.split("/")[2] for path, _, _ in self.calls}


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub()
    app = web.Application()
    app.router.add_post("/webhooks/{door:.+}", hub.take)
    server = Loopback(app)
    hub.url = await server.start()
    yield hub
    await server.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(scratch=tmp_path) as world:
        yield world


async def test_the_sample_service_runs_everywhere(world: World) -> None:
    images = {*world.running(SERVICE, "dev"), *world.running(SERVICE, "production")}
    (image,) = images
    assert image.startswith("registry.company.example/company/order-service:")
    assert "@sha256:" in image


async def test_every_door_of_a_connected_hub_is_called(world: World, hub: Hub) -> None:
    world.connect(hub.url)
    commit = await world.push()
    world.argocd.degrade(f"{SERVICE}-production", "it broke")
    run_headers = {"Authorization": f"Bearer {world.credentials.kubernetes_token.text}"}
    address = f"{world.addresses.kubernetes}/apis/tekton.dev/v1/namespaces/tekton-pipelines"
    body = {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": "orders-1"},
        "spec": {"pipelineRef": {"name": "microservice-ci"}, "params": []},
    }
    async with aiohttp.request(
        "POST", f"{address}/pipelineruns", json=body, headers=run_headers
    ) as answer:
        assert answer.status == 201
    await world.settled()
    assert hub.doors() == {"github", "tekton", "argocd"}
    pushes = [
        content for _, headers, content in hub.calls if headers.get("X-GitHub-Event") == "push"
    ]
    assert [json.loads(content)["after"] for content in pushes] == [commit.sha]
    key = world.credentials.github_webhook.text.encode()
    signature = "sha256=" + hmac.new(key, pushes[0], hashlib.sha256).hexdigest()
    assert signature in {headers.get("X-Hub-Signature-256") for _, headers, _ in hub.calls}


async def test_a_hub_that_moves_is_told_at_its_new_address(world: World, hub: Hub) -> None:
    world.connect("http://127.0.0.1:9")
    world.connect(hub.url)
    await world.push()
    await world.settled()
    events = [headers.get("X-GitHub-Event") for _, headers, _ in hub.calls]
    assert events.count("push") == 1


async def test_the_settings_it_writes_are_whole(world: World, tmp_path: Path) -> None:
    file = tmp_path / "trunkline.yaml"
    changes = {"platform": {"channel": "#other"}}
    world.write_settings(file, state=tmp_path / "state", port=0, admin_port=0, changes=changes)
    settings = load(file, {})
    assert settings.platform.channel == "#other"
    assert settings.kubernetes is not None
    assert settings.kubernetes.url == world.addresses.kubernetes
    ring = KeyRing(settings.receiver.github.keys, name="receiver.github")
    (key,) = ring.keys(monotonic=0.0, wall=0.0)
    assert key.octets.decode() == world.credentials.github_webhook.text
    assert settings.slack is not None
    token = SecretPlace(settings.slack.token, name="slack.token").read(0.0)
    assert token.expose() == world.credentials.slack_token.text


async def test_secrets_are_for_their_owner_only_and_never_shown(
    world: World, tmp_path: Path
) -> None:
    files = list((tmp_path / "secrets").iterdir())
    assert len(files) == 7
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert not any(file.read_text() in repr(world.credentials) for file in files)


async def test_many_services_take_one_commit(world: World) -> None:
    before = len(world.gitops.changes)
    await world.add_services([f"service-{number}" for number in range(20)])
    await world.settled()
    assert len(world.gitops.changes) == before + 1
    assert len(world.cluster.applications()) == 21 * 3
    (image,) = world.running("service-7", "staging")
    assert image.startswith("registry.company.example/company/service-7:")


async def test_developers_and_the_hub_reach_git_with_the_token(
    world: World, tmp_path: Path
) -> None:
    token = world.credentials.github_token.text
    address = world.addresses.gitops.replace("://", f"://x-access-token:{token}@")
    await git(tmp_path, "clone", "--quiet", address, "clone")
    overlay = tmp_path / "clone/services/order-service/overlays/staging/kustomization.yaml"
    assert "# kept by Trunkline" in overlay.read_text()


async def test_it_leaves_nothing_behind(tmp_path: Path, hub: Hub) -> None:
    before = asyncio.all_tasks()
    async with World(scratch=tmp_path) as world:
        world.connect(hub.url)
        world.argocd.pace.hold()
        world.tekton.pace.hold()
        await world.push()
        await world.add_services(["cart-service"])
        addresses = world.addresses
    assert asyncio.all_tasks() == before
    for address in (addresses.kubernetes, addresses.git, addresses.github_api):
        with pytest.raises(aiohttp.ClientConnectorError):
            await aiohttp.request("GET", address).__aenter__()
