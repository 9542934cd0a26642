"""What the hub reads of a composite, on the sandbox's API server."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kubernetes_home import CALL, clients_of

from hub.actions.crossplane import CompositeState, ReadComposite
from hub.clients.crossplane import Crossplane
from hub.errors import PermanentError
from hub.sandbox import crossplane as sandbox
from hub.sandbox.clock import Clock
from hub.sandbox.faults import Faults
from hub.sandbox.kubernetes import (
    COMPOSITES,
    POSTGRESQL_INSTANCES,
    Access,
    Cluster,
    KubernetesApi,
    Rule,
)
from hub.settings import KubernetesSettings, Secret

TOKEN = "a-token-of-the-hubs-account"
GROUP = POSTGRESQL_INSTANCES.group


class Home:
    """A cluster with one database in it, and the hub's client."""

    def __init__(self, cluster: Cluster, client: Crossplane) -> None:
        self.cluster = cluster
        self.crossplane = sandbox.Crossplane(cluster=cluster, clock=Clock(), namespace="orders")
        self.client = client
        made = self.crossplane.ask_for(
            POSTGRESQL_INSTANCES, "db", owner="orders", environment="production"
        )
        self.read = ReadComposite(
            group=GROUP,
            version=POSTGRESQL_INSTANCES.version,
            plural=POSTGRESQL_INSTANCES.plural,
            namespace="orders",
            composite="db",
            uid=made["metadata"]["uid"],
        )

    async def state(self) -> CompositeState:
        return (await self.client.read(self.read, CALL)).state


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    cluster = Cluster(namespaces=["orders"])
    rules = tuple(Rule(kind=kind, verbs=frozenset({"get"})) for kind in COMPOSITES)
    account = Access(user="system:serviceaccount:trunkline:hub", token=TOKEN, rules=rules)
    api = KubernetesApi(cluster=cluster, faults=Faults(), accounts=(account,))
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    settings = KubernetesSettings(url=await api.start(), token=Secret(file=token_file))
    async with clients_of(settings, token_file) as clients:
        yield Home(cluster, Crossplane(clients.kubernetes, groups=[GROUP]))
    await api.stop()


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ({}, CompositeState.PENDING),
        ({"Ready": False, "Synced": True}, CompositeState.PENDING),
        ({"Ready": True, "Synced": True}, CompositeState.READY),
        ({"Ready": True, "Synced": False}, CompositeState.FAILED),
    ],
)
async def test_the_conditions_say_how_a_composite_stands(
    home: Home, conditions: dict[str, bool], state: CompositeState
) -> None:
    home.crossplane.say(POSTGRESQL_INSTANCES, "db", **conditions)
    assert await home.state() is state


async def test_what_is_paused_or_being_deleted_has_not_failed(home: Home) -> None:
    def patch(content: dict[str, Any], *, status: bool) -> None:
        home.cluster.patch(POSTGRESQL_INSTANCES, "orders", "db", content, status=status)

    paused = {"type": "Synced", "status": "False", "reason": "ReconcilePaused"}
    patch({"status": {"conditions": [paused]}}, status=True)
    assert await home.state() is CompositeState.PAUSED
    patch({"metadata": {"deletionTimestamp": "2026-03-02T12:00:00Z"}}, status=False)
    assert await home.state() is CompositeState.DELETING


async def test_whose_it_is_and_what_is_wrong_is_read_with_it(home: Home) -> None:
    home.crossplane.say(POSTGRESQL_INSTANCES, "db", message="no subnet", Ready=True, Synced=False)
    found = await home.client.read(home.read, CALL)
    assert (found.owner, found.environment, found.message, found.claim) == (
        "orders",
        "production",
        "no subnet",
        "",
    )
    assert found.since


async def test_another_object_of_its_name_and_one_that_is_deleted_are_not_it(home: Home) -> None:
    home.crossplane.forget(POSTGRESQL_INSTANCES, "db")
    assert await home.state() is CompositeState.GONE
    home.crossplane.ask_for(POSTGRESQL_INSTANCES, "db")
    assert await home.state() is CompositeState.GONE


async def test_an_event_cannot_have_anything_else_read(home: Home) -> None:
    secrets = replace(home.read, group="external-secrets.io", plural="externalsecrets")
    with pytest.raises(PermanentError, match=r"watcher\.groups"):
        await home.client.read(secrets, CALL)
    for name in ("../secrets/db", "db/status", "", "DB"):
        found = await home.client.read(replace(home.read, composite=name), CALL)
        assert found.state is CompositeState.GONE
