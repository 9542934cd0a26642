"""A team asks for what it needs, not for how it is composed; the API server sees to it."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers.administrator import Administrator, ObjectRefused
from servers.composites import Object, definitions, write_crds
from servers.kubernetes import KubernetesServer, kubernetes

FOLDER = Path(__file__).parents[2] / "crossplane"
REVISION = {"compositionRevisionRef": {"name": "postgresqlinstances-0123456"}}
PAUSED = {"crossplane.io/paused": "true"}


def documents(name: str) -> list[Object]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


@pytest.fixture(scope="module")
def cluster(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesServer]:
    """A server of its own: the guard is for the whole cluster."""
    with kubernetes(platform=False) as server:
        server.install(write_crds(tmp_path_factory.mktemp("crds")))
        server.apply(*documents("guard.yaml"), *documents("rights.yaml"))
        yield server


def someone(cluster: KubernetesServer, *rules: Any) -> Administrator:
    """Whoever has these rights, at the same server."""
    token = cluster.account(*rules).read_text()
    return Administrator(port=cluster.port, tls=cluster._tls, token=token)


@pytest.fixture(scope="module")
def team(cluster: KubernetesServer) -> Administrator:
    (role,) = [
        one for one in documents("rights.yaml") if one["metadata"]["name"].endswith("requests-edit")
    ]
    return someone(cluster, *role["rules"])


@pytest.fixture(scope="module")
def composer(cluster: KubernetesServer) -> Administrator:
    """Crossplane, with the rights that it gives itself to a kind that is defined."""
    return someone(
        cluster,
        {
            "apiGroups": ["platform.company.com"],
            "resources": ["postgresqlinstances", "postgresqlinstances/status"],
            "verbs": ["*"],
        },
    )


def database(namespace: str, *, machinery: Object | None = None, **metadata: Any) -> Object:
    spec = copy.deepcopy(documents("examples/team.yaml")[0]["spec"])
    return {
        "apiVersion": "platform.company.com/v1alpha1",
        "kind": "PostgreSQLInstance",
        "metadata": {"namespace": namespace, "name": "orders", **metadata},
        "spec": spec if machinery is None else spec | {"crossplane": machinery},
    }


@pytest.mark.parametrize(
    ("machinery", "annotations", "why"),
    [
        (REVISION, {}, "spec.crossplane is for Crossplane"),
        ({"compositionUpdatePolicy": "Manual"}, {}, "spec.crossplane is for Crossplane"),
        (None, PAUSED, "crossplane.io/paused"),
    ],
)
async def test_a_team_cannot_say_how_it_is_composed(
    cluster: KubernetesServer,
    team: Administrator,
    machinery: Object | None,
    annotations: dict[str, str],
    why: str,
) -> None:
    wanted = database(cluster.fresh_namespace(), machinery=machinery, annotations=annotations)
    assert why in await team.settled_refusal(wanted)


async def test_a_team_changes_its_own_fields_and_leaves_crossplane_s(
    cluster: KubernetesServer, team: Administrator, composer: Administrator
) -> None:
    namespace = cluster.fresh_namespace()
    steered = database(namespace, machinery=REVISION)
    assert await team.settled_refusal(steered)

    team.apply(database(namespace))
    composer.patch(steered, {"spec": {"crossplane": REVISION}})
    larger = {"spec": {"parameters": {"storageGB": 100}}}
    assert team.patch(steered, larger)["spec"]["crossplane"] == REVISION
    for change in (
        {"spec": {"crossplane": {"compositionUpdatePolicy": "Manual"}}},
        {"spec": {"crossplane": None}},
        {"metadata": {"annotations": PAUSED}},
    ):
        with pytest.raises(ObjectRefused, match="crossplane"):
            team.patch(steered, change)


async def test_a_team_that_finds_its_database_paused_cannot_let_it_go_on(
    cluster: KubernetesServer, team: Administrator
) -> None:
    namespace = cluster.fresh_namespace()
    assert await team.settled_refusal(database(namespace, annotations=PAUSED))
    cluster.apply(database(namespace, annotations=PAUSED))
    with pytest.raises(ObjectRefused, match="paused"):
        team.patch(
            database(namespace), {"metadata": {"annotations": {"crossplane.io/paused": None}}}
        )


def test_a_team_cannot_write_what_it_is_told(
    cluster: KubernetesServer, team: Administrator
) -> None:
    wanted = database(cluster.fresh_namespace())
    team.apply(wanted)
    with pytest.raises(ObjectRefused, match="forbidden"):
        team.patch_status(wanted, {"endpoint": "elsewhere.example.com"})


@pytest.mark.parametrize("definition", definitions(), ids=lambda one: one["spec"]["names"]["kind"])
def test_each_kind_is_composed_by_the_one_composition_for_it(definition: Object) -> None:
    names = definition["spec"]["names"]
    composition = yaml.safe_load((FOLDER / "compositions" / f"{names['plural']}.yaml").read_text())
    assert definition["spec"]["enforcedCompositionRef"] == {"name": composition["metadata"]["name"]}
    assert composition["spec"]["compositeTypeRef"]["kind"] == names["kind"]
