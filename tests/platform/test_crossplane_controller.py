"""What a team asks for is composed, put right, told of and let go by Crossplane's own controllers.

They run on a real API server, with their own rights and those that this repository adds. The test
plays who makes things: the provider of AWS, and External Secrets.
"""

import asyncio
import base64
import copy
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import yaml
from crossplane_cluster import (
    SPARE,
    Platform,
    condition,
    documents,
    managed,
    platform,
    until,
)
from crossplane_watching import NAMESPACE, listening, until_told
from servers.administrator import ObjectRefused
from servers.composites import Object, write_crds

MADE = {
    "PostgreSQLInstance": {"instance", "subnets", "firewall", "way-in", "parameters"},
    "S3Bucket": {"bucket", "public-access", "ownership", "encryption", "versioning", "lifecycle"},
    "SQSQueue": {"queue", "dead-letters"},
}
"""What is composed before AWS has answered."""

DATABASE = {
    "address": "orders.abc.eu-central-1.rds.amazonaws.com",
    "masterUserSecret": [{"secretArn": "arn:aws:secretsmanager:eu-central-1:1:secret:x"}],
}
MISSING = "there is no EnvironmentConfig `platform`"


@pytest.fixture(scope="module")
def cluster(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("crossplane")) as one:
        one.server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        yield one


async def ask(cluster: Platform, kind: str) -> tuple[Object, dict[str, Object]]:
    """Ask for something as a team does; return it, and its first parts once they are there."""
    wanted = cluster.asked(kind)
    await asyncio.to_thread(cluster.team().apply, wanted)
    return wanted, await composed(cluster, wanted, MADE[kind])


async def composed(cluster: Platform, wanted: Object, names: set[str]) -> dict[str, Object]:
    return await until(lambda: cluster.parts(wanted), lambda found: names <= found.keys())


def is_said(type_: str, status: str, message: str = "") -> Callable[[Object], bool]:
    def holds(one: Object) -> bool:
        found = condition(one, type_)
        return found.get("status") == status and message in found.get("message", "")

    return holds


async def until_it_is(cluster: Platform, wanted: Object, type_: str, status: str) -> Object:
    """Wait for a condition, and return the object as it is then."""
    return await until(lambda: cluster.now(wanted), is_said(type_, status))


async def make(cluster: Platform, wanted: Object, parts: dict[str, Object]) -> None:
    """Let AWS have made a database's parts, and what is composed then be handed over."""

    def say() -> None:
        for name, part in parts.items():
            cluster.say(part, **(DATABASE if name == "instance" else {}))

    later = {"connection", "hand-over"}
    found = await until(
        lambda: cluster.parts(wanted), lambda found: later <= found.keys(), again=say
    )
    await until(
        lambda: cluster.now(wanted),
        is_said("Ready", "True"),
        again=lambda: cluster.say(found["hand-over"]),
    )


@pytest.mark.parametrize("kind", MADE)
async def test_what_a_team_asks_for_is_composed(cluster: Platform, kind: str) -> None:
    wanted, parts = await ask(cluster, kind)
    now = await until_it_is(cluster, wanted, "Synced", "True")
    assert condition(now, "Ready")["reason"] == "Creating"
    assert parts.keys() == MADE[kind]
    for part in parts.values():
        (owner,) = part["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (now["metadata"]["uid"], True)


async def test_a_database_is_ready_when_its_parts_are_and_the_hub_tells_of_it(
    cluster: Platform, tmp_path: Path
) -> None:
    async with listening(cluster.server, tmp_path) as bus:
        wanted, parts = await ask(cluster, "PostgreSQLInstance")
        await until_told(bus, wanted, "not-ready")
        await make(cluster, wanted, parts)
        told = await until_told(bus, wanted, "ready")
    assert set(told) == {"synced", "not-ready", "ready"}
    assert told[-1] == "ready"

    now = cluster.now(wanted)
    place = wanted["metadata"]["namespace"]
    assert now["status"]["endpoint"] == DATABASE["address"]
    assert now["status"]["secretName"] == f"platform/{place}/orders"
    secret = {"apiVersion": "v1", "kind": "Secret"}
    named = {"namespace": place, "name": wanted["spec"]["writeConnectionSecretToRef"]["name"]}
    found = cluster.now({**secret, "metadata": named})
    assert base64.b64decode(found["data"]["endpoint"]).decode() == DATABASE["address"]


async def test_what_is_changed_behind_crossplane_s_back_is_put_right(cluster: Platform) -> None:
    wanted, parts = await ask(cluster, "PostgreSQLInstance")
    await until_it_is(cluster, wanted, "Synced", "True")
    opened = {"spec": {"forProvider": {"publiclyAccessible": True, "deletionProtection": False}}}

    def spoil() -> None:
        changed = cluster.server.patch(parts["instance"], opened)["spec"]["forProvider"]
        assert (changed["publiclyAccessible"], changed["deletionProtection"]) == (True, False)

    spoil()
    await until(
        lambda: cluster.now(parts["instance"])["spec"],
        lambda spec: spec == parts["instance"]["spec"],
        again=spoil,
    )


async def test_a_team_changes_what_is_its_own_and_not_how_it_is_composed(
    cluster: Platform,
) -> None:
    wanted, parts = await ask(cluster, "PostgreSQLInstance")
    team = cluster.team()
    held_back = {"spec": {"crossplane": {"compositionUpdatePolicy": "Manual"}}}
    with pytest.raises(ObjectRefused, match="for Crossplane to write"):
        team.patch(wanted, held_back)
    team.patch(wanted, {"spec": {"parameters": {"storageGB": 100}}})

    def grown(one: Object) -> bool:
        return bool(one["spec"]["forProvider"]["allocatedStorage"] == 100)

    await until(lambda: cluster.now(parts["instance"]), grown)


async def test_a_database_stays_when_its_request_is_deleted(
    cluster: Platform, tmp_path: Path
) -> None:
    wanted, parts = await ask(cluster, "PostgreSQLInstance")
    for part in parts.values():
        cluster.hold(part)
    await make(cluster, wanted, parts)
    async with listening(cluster.server, tmp_path) as bus:
        await until_told(bus, wanted, "ready")
        await asyncio.to_thread(cluster.team().delete, wanted)
        await until_told(bus, wanted, "deleted")
    assert cluster.now(wanted) == {}

    cluster.collect(parts)
    left = cluster.now(parts["instance"])
    assert left["metadata"]["deletionTimestamp"]
    assert left["spec"]["forProvider"]["deletionProtection"] is True
    assert "Delete" not in cluster.now(parts["way-in"])["spec"]["managementPolicies"]


async def test_a_platform_that_is_described_nowhere_is_an_error_and_changes_nothing(
    cluster: Platform,
) -> None:
    (described,) = documents("examples/environment.yaml")
    wanted, parts = await ask(cluster, "SQSQueue")
    times = count()

    def touch() -> None:
        cluster.server.patch(wanted, {"metadata": {"labels": {"touched": f"{next(times)}"}}})

    cluster.server.delete(described)
    try:
        await until(lambda: cluster.now(wanted), is_said("Synced", "False", MISSING), again=touch)
        assert cluster.parts(wanted) == parts
    finally:
        cluster.server.apply(described)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"name": "another"}, MISSING),
        ({"kind": "EnvironmentConfigs"}, "cannot fetch bootstrap required resources"),
    ],
    ids=["another name", "another kind"],
)
async def test_a_composition_that_reads_something_else_is_an_error_and_changes_nothing(
    cluster: Platform, fault: dict[str, str], why: str
) -> None:
    (right,) = documents("compositions/sqsqueues.yaml")
    wrong = copy.deepcopy(right)
    wrong["spec"]["pipeline"][0]["requirements"]["requiredResources"][0].update(fault)
    wanted, parts = await ask(cluster, "SQSQueue")
    cluster.server.apply(wrong)
    try:
        await until(lambda: cluster.now(wanted), is_said("Synced", "False", why))
        assert cluster.parts(wanted) == parts
    finally:
        cluster.server.apply(right)


async def test_without_our_rights_crossplane_could_hand_nothing_over(cluster: Platform) -> None:
    wanted, parts = await ask(cluster, "PostgreSQLInstance")
    rules = cluster.now(cluster.role)["rules"]
    looking = ["get", "list", "watch"]
    fewer = [
        one | {"verbs": looking} if "pushsecrets" in one["resources"] else one for one in rules
    ]
    try:
        cluster.server.patch(cluster.role, {"rules": fewer})
        await until(cluster.may_hand_over, lambda may: not may)
        await until(
            lambda: cluster.now(wanted),
            is_said("Synced", "False", "pushsecrets"),
            again=lambda: cluster.say(parts["instance"], **DATABASE),
        )
        assert "hand-over" not in cluster.parts(wanted)
    finally:
        cluster.server.patch(cluster.role, {"rules": rules})
        await until(cluster.may_hand_over, bool)


def test_a_kind_that_nobody_has_activated_cannot_be_made(cluster: Platform) -> None:
    (policy,) = documents("packages/activation.yaml")
    served = {
        one["metadata"]["name"]
        for one in cluster.server.objects("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    }
    assert {one["metadata"]["name"] for one in managed()} & served == set(
        policy["spec"]["activate"]
    )
    spare = {"apiVersion": "apiextensions.crossplane.io/v1alpha1"}
    spare |= {"kind": "ManagedResourceDefinition", "metadata": {"name": SPARE}}
    assert condition(cluster.now(spare), "Established")["reason"] == "InactiveManagedResource"


def test_the_kinds_that_other_tests_define_are_those_that_crossplane_does(
    cluster: Platform, tmp_path: Path
) -> None:
    for ours in yaml.safe_load_all(write_crds(tmp_path).read_text()):
        theirs = cluster.now(ours)["spec"]
        names = {key: theirs["names"][key] for key in ours["spec"]["names"]}
        assert names == ours["spec"]["names"]
        assert theirs["scope"] == ours["spec"]["scope"]
        (served,), (wanted,) = theirs["versions"], ours["spec"]["versions"]
        assert lacking(wanted["schema"], served["schema"]) == []


def lacking(wanted: object, found: object, place: str = "") -> list[str]:
    """Where something is not as it is wanted; there may be more."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            each
            for key, value in wanted.items()
            for each in lacking(value, found.get(key), f"{place}.{key}")
        ]
    return [] if wanted == found else [place]
