"""What may never be otherwise in `k8s/`: each rule alone, and found when a copy breaks it."""

import copy
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from deployment_files import (
    OVERLAYS,
    Object,
    built,
    container,
    of_kind,
    pod_spec,
    the,
    workloads,
)

from hub.wiring.hub import DRAIN_SECONDS

_METADATA_SERVICE = ip_network("169.254.169.254/32")
_GRACE = "terminationGracePeriodSeconds"

Rule = Callable[[list[Object]], Iterator[str]]


def pods_are_restricted(objects: list[Object]) -> Iterator[str]:
    for one in workloads(objects):
        of_pod = pod_spec(one)["securityContext"]
        of_container = container(one)["securityContext"]
        wanted = (
            of_pod.get("runAsNonRoot") is True,
            of_pod.get("runAsUser") == of_pod.get("runAsGroup") == of_pod.get("fsGroup") == 65532,
            of_pod.get("seccompProfile") == {"type": "RuntimeDefault"},
            of_container.get("allowPrivilegeEscalation") is False,
            of_container.get("readOnlyRootFilesystem") is True,
            of_container.get("capabilities") == {"drop": ["ALL"]},
            not of_container.get("privileged"),
        )
        if not all(wanted):
            yield one["metadata"]["name"]


def resources_are_set(objects: list[Object]) -> Iterator[str]:
    for one in workloads(objects):
        resources = container(one)["resources"]
        if not (
            resources["requests"].keys() >= {"cpu", "memory"} and "memory" in resources["limits"]
        ):
            yield one["metadata"]["name"]


def rules_name_what_they_allow(objects: list[Object]) -> Iterator[str]:
    for role in of_kind(objects, "Role", "ClusterRole"):
        for rule in role["rules"]:
            named = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            if any("*" in name for name in named) or "secrets" in rule["resources"]:
                yield role["metadata"]["name"]


def only_the_worker_has_rights(objects: list[Object]) -> Iterator[str]:
    for binding in of_kind(objects, "RoleBinding", "ClusterRoleBinding"):
        for subject in binding["subjects"]:
            if subject != {
                "kind": "ServiceAccount",
                "name": "trunkline-worker",
                "namespace": "trunkline",
            }:
                yield binding["metadata"]["name"]


def tokens_are_only_where_they_are_used(objects: list[Object]) -> Iterator[str]:
    for one in workloads(objects):
        spec = pod_spec(one)
        lifetimes = [
            source["serviceAccountToken"]["expirationSeconds"]
            for volume in spec["volumes"]
            for source in volume.get("projected", {}).get("sources", ())
            if "serviceAccountToken" in source
        ]
        works = "trunkline.dev/works" in one["spec"]["template"]["metadata"]["labels"]
        if spec.get("automountServiceAccountToken") is not False or lifetimes != [600] * works:
            yield one["metadata"]["name"]
    for account in of_kind(objects, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield account["metadata"]["name"]


def secrets_come_from_outside(objects: list[Object]) -> Iterator[str]:
    yield from (one["metadata"]["name"] for one in of_kind(objects, "Secret"))
    for one in workloads(objects):
        if "env" in container(one) or "envFrom" in container(one):
            yield one["metadata"]["name"]


def nothing_is_open_that_is_not_named(objects: list[Object]) -> Iterator[str]:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(objects, "NetworkPolicy")}
    if policies.get("default-deny") != {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}:
        yield "default-deny"
    for name, policy in policies.items():
        for rule in (*policy.get("ingress", ()), *policy.get("egress", ())):
            if not (rule.get("ports") and (rule.get("from") or rule.get("to"))):
                yield name


def the_metadata_service_is_out_of_reach(objects: list[Object]) -> Iterator[str]:
    for policy in of_kind(objects, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", ()):
            for block in (to["ipBlock"] for to in rule["to"] if "ipBlock" in to):
                kept_out = [ip_network(one) for one in block.get("except", ())]
                if ip_network(block["cidr"]).supernet_of(_METADATA_SERVICE) and not any(
                    one.supernet_of(_METADATA_SERVICE) for one in kept_out
                ):
                    yield policy["metadata"]["name"]


def what_runs_in_numbers_is_spread_and_guarded(objects: list[Object]) -> Iterator[str]:
    guarded = [
        one["spec"]["selector"]["matchLabels"] for one in of_kind(objects, "PodDisruptionBudget")
    ]
    for one in workloads(objects):
        labels = one["spec"]["template"]["metadata"]["labels"]
        alone = one["spec"].get("replicas") == 1
        spread = pod_spec(one).get("topologySpreadConstraints")
        if not alone and not (spread and any(each.items() <= labels.items() for each in guarded)):
            yield one["metadata"]["name"]


def probes_ask_the_admin_port(objects: list[Object]) -> Iterator[str]:
    for one in workloads(objects):
        here = container(one)
        probes = {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }
        asked = {name: here.get(name, {}).get("httpGet") for name in probes}
        if asked != {name: {"path": path, "port": "admin"} for name, path in probes.items()}:
            yield one["metadata"]["name"]


def there_is_time_to_drain(objects: list[Object]) -> Iterator[str]:
    for one in workloads(objects):
        pause = container(one)["lifecycle"]["preStop"]["sleep"]["seconds"]
        if not 0 < pause + DRAIN_SECONDS < pod_spec(one)[_GRACE]:
            yield one["metadata"]["name"]


def the_namespace_is_restricted(objects: list[Object]) -> Iterator[str]:
    labels = the(objects, "Namespace", "trunkline")["metadata"]["labels"]
    if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
        yield "trunkline"


RULES: tuple[Rule, ...] = (
    pods_are_restricted,
    resources_are_set,
    rules_name_what_they_allow,
    only_the_worker_has_rights,
    tokens_are_only_where_they_are_used,
    secrets_come_from_outside,
    nothing_is_open_that_is_not_named,
    the_metadata_service_is_out_of_reach,
    what_runs_in_numbers_is_spread_and_guarded,
    probes_ask_the_admin_port,
    there_is_time_to_drain,
    the_namespace_is_restricted,
)


@pytest.fixture(autouse=True)
def _kustomize(servers: None) -> None:
    """What the files are built with."""


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("rule", RULES, ids=lambda one: one.__name__)
def test_every_rule_is_kept(rule: Rule, overlay: str) -> None:
    assert list(rule(built(overlay))) == []


def test_what_is_looked_at_is_there() -> None:
    assert [one["metadata"]["name"] for one in workloads(built("single"))] == ["trunkline"]
    assert [one["metadata"]["name"] for one in workloads(built("production"))] == [
        "trunkline-worker",
        "trunkline-receiver",
    ]


def receiver(objects: list[Object]) -> Any:
    return pod_spec(the(objects, "StatefulSet", "trunkline-receiver"))


def in_pod(**changes: object) -> Callable[[list[Object]], None]:
    return lambda objects: receiver(objects).update(changes)


def in_container(name: str, **changes: object) -> Callable[[list[Object]], None]:
    def spoil(objects: list[Object]) -> None:
        (only,) = receiver(objects)["containers"]
        only.setdefault(name, {}).update(changes)

    return spoil


def in_rule(**changes: object) -> Callable[[list[Object]], None]:
    return lambda objects: of_kind(objects, "Role")[0]["rules"][0].update(changes)


def to_receivers(objects: list[Object]) -> None:
    of_kind(objects, "RoleBinding")[0]["subjects"][0]["name"] = "trunkline-receiver"


def with_a_secret(objects: list[Object]) -> None:
    objects.append({"kind": "Secret", "metadata": {"name": "key"}, "data": {"key": "aGVsbG8="}})


def without(kind: str) -> Callable[[list[Object]], None]:
    def spoil(objects: list[Object]) -> None:
        objects[:] = [one for one in objects if one["kind"] != kind]

    return spoil


def to_everywhere(objects: list[Object]) -> None:
    del the(objects, "NetworkPolicy", "outside-systems")["spec"]["egress"][0]["to"]


def to_the_metadata_service(objects: list[Object]) -> None:
    rule = the(objects, "NetworkPolicy", "outside-systems")["spec"]["egress"][0]
    rule["to"][0]["ipBlock"]["except"].remove("169.254.0.0/16")


def unrestricted(objects: list[Object]) -> None:
    labels = the(objects, "Namespace", "trunkline")["metadata"]["labels"]
    labels["pod-security.kubernetes.io/enforce"] = "baseline"


FAULTS: tuple[tuple[Rule, Callable[[list[Object]], None]], ...] = (
    (pods_are_restricted, in_container("securityContext", privileged=True)),
    (pods_are_restricted, in_container("securityContext", readOnlyRootFilesystem=False)),
    (pods_are_restricted, in_container("securityContext", capabilities={"drop": ["NET_RAW"]})),
    (pods_are_restricted, in_pod(securityContext={"runAsNonRoot": True})),
    (resources_are_set, in_container("resources", limits={})),
    (rules_name_what_they_allow, in_rule(verbs=["*"])),
    (rules_name_what_they_allow, in_rule(resources=["secrets"])),
    (only_the_worker_has_rights, to_receivers),
    (tokens_are_only_where_they_are_used, in_pod(automountServiceAccountToken=True)),
    (secrets_come_from_outside, with_a_secret),
    (nothing_is_open_that_is_not_named, without("NetworkPolicy")),
    (nothing_is_open_that_is_not_named, to_everywhere),
    (the_metadata_service_is_out_of_reach, to_the_metadata_service),
    (what_runs_in_numbers_is_spread_and_guarded, without("PodDisruptionBudget")),
    (what_runs_in_numbers_is_spread_and_guarded, in_pod(topologySpreadConstraints=[])),
    (probes_ask_the_admin_port, in_container("readinessProbe", httpGet={"port": 8080})),
    (there_is_time_to_drain, in_pod(terminationGracePeriodSeconds=25)),
    (the_namespace_is_restricted, unrestricted),
)


@pytest.mark.parametrize(("rule", "plant"), FAULTS, ids=lambda one: one.__name__)
def test_a_fault_that_is_planted_is_found(
    rule: Rule, plant: Callable[[list[Object]], None]
) -> None:
    objects = copy.deepcopy(built("production"))
    plant(objects)
    assert list(rule(objects)) != []


def test_every_rule_has_a_fault_that_it_finds() -> None:
    assert {rule for rule, _ in FAULTS} == set(RULES)
