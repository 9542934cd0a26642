"""Every secret comes through a store that is there, for its namespace, with a role that may."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from composing import compose, environment
from secret_files import (
    CLUSTERS,
    FOLDER,
    ROOT,
    Object,
    account,
    listed,
    may,
    namespaces,
    objects,
    policies,
    policy,
    reads,
    stores,
)
from servers.administrator import ObjectRefused
from servers.function import function
from servers.kubernetes import KubernetesServer, kubernetes

CRDS = sorted((Path(__file__).parents[1] / "data/deployment-crds/external-secrets").glob("*.yaml"))
MANIFESTS = ("argocd", "crossplane", "docs", "k8s", "external-secrets", "tekton")
READING = "secretsmanager:GetSecretValue"
PUSHING = {
    f"secretsmanager:{name}"
    for name in (
        "CreateSecret",
        "DeleteResourcePolicy",
        "DescribeSecret",
        "GetSecretValue",
        "PutSecretValue",
        "TagResource",
    )
}
"""What External Secrets asks AWS for on a push whose metadata is left out."""

pytestmark = pytest.mark.usefixtures("servers")


def role(cluster: str, store: Object) -> str:
    arn: str = account(cluster, store)["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    return arn.rpartition("/")[2]


def pushed(namespace: str, folder: Path) -> Object:
    """Return what Crossplane's own function makes of a database, to hand it over."""
    asked = next(yaml.safe_load_all((ROOT / "crossplane/examples/team.yaml").read_text()))
    made = {
        "address": "orders.example.com",
        "masterUserSecret": [{"secretArn": "arn:aws:secretsmanager:eu-central-1:1:secret:x"}],
    }
    wanted = {**asked, "metadata": {"uid": "u", **asked["metadata"], "namespace": namespace}}
    with function(folder / "function.log") as composer:
        return compose(
            composer,
            wanted,
            observed={"instance": {"status": {"atProvider": made}}},
            surroundings=environment(),
        )["hand-over"]


@pytest.fixture(scope="module")
def cluster(servers: None) -> Iterator[KubernetesServer]:
    with kubernetes(platform=False) as server:
        server.install(*CRDS)
        server.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "external-secrets"}}
        )
        yield server


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_api_server_takes_every_store_and_its_account(
    cluster: KubernetesServer, name: str
) -> None:
    for store in stores(name).values():
        cluster.apply(account(name, store))
        (kept,) = cluster.apply(store)
        assert kept["spec"] == store["spec"]
        spoilt = copy.deepcopy(store)
        spoilt["spec"]["provider"]["aws"]["auth"]["jwt"]["serviceAccount"] = "somebody"
        with pytest.raises(ObjectRefused, match="serviceAccount"):
            cluster.apply(spoilt, dry_run=True)


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_api_server_takes_whatever_reads(cluster: KubernetesServer, name: str) -> None:
    for one in objects(name):
        if one["kind"] == "ExternalSecret":
            here = one | {"metadata": {"name": one["metadata"]["name"]}}
            (kept,) = cluster.apply(here, dry_run=True)
            assert kept["spec"]["secretStoreRef"] == one["spec"]["secretStoreRef"]


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_store_is_for_some_namespaces_and_has_an_account_of_its_own(name: str) -> None:
    accounts = []
    for store in stores(name).values():
        aws = store["spec"]["provider"]["aws"]
        assert (aws["service"], list(aws["auth"])) == ("SecretsManager", ["jwt"])
        assert namespaces(store)
        who = account(name, store)
        assert who["automountServiceAccountToken"] is False
        assert role(name, store) == who["metadata"]["name"]
        accounts.append(role(name, store))
    assert len(set(accounts)) == len(accounts)


@pytest.mark.parametrize("name", CLUSTERS)
def test_whatever_is_read_is_read_through_a_store_that_lets_it(name: str) -> None:
    known = stores(name)
    used = list(reads(name))
    assert used
    for use in used:
        assert use.namespace in namespaces(known[use.store]), use
        for key in use.keys:
            assert may(policy(role(name, known[use.store])), READING, key), use


@pytest.mark.parametrize("namespace", ["dev", "staging", "production"])
def test_what_crossplane_hands_over_gets_to_where_it_is_read(
    namespace: str, tmp_path: Path
) -> None:
    spec = pushed(namespace, tmp_path)["spec"]
    (store,) = spec["secretStoreRefs"]
    assert store["kind"] == "ClusterSecretStore"
    writer = stores("platform")[store["name"]]
    assert namespace in namespaces(writer)
    (key,) = {one["match"]["remoteRef"]["remoteKey"] for one in spec["data"]}
    assert all(may(policy(role("platform", writer)), action, key) for action in PUSHING)
    readers = {
        name
        for name, one in stores("workloads").items()
        if may(policy(role("workloads", one)), READING, key)
    }
    assert readers == {f"aws-{namespace}"}


def test_a_policy_lists_what_it_allows_and_where() -> None:
    shown = policies()
    del shown["trust"]
    assert set(shown) == {"secrets-ci", "secrets-crossplane", "secrets-production"}
    for statement in [one for each in shown.values() for one in each["Statement"]]:
        assert statement["Effect"] == "Allow"
        assert not [one for one in listed(statement["Action"]) if "*" in one]
        for place in listed(statement["Resource"]):
            assert re.fullmatch(r"arn:aws:[^*]+(/\*)?", place)


def test_a_role_may_do_no_more_than_its_store_is_for() -> None:
    actions = {
        name: {one for each in shown["Statement"] for one in listed(each["Action"])}
        for name, shown in policies().items()
    }
    assert actions["secrets-ci"] == {READING}
    assert actions["secrets-crossplane"] == PUSHING
    assert actions["secrets-production"] == {READING, "kms:Decrypt"}


def test_a_role_trusts_one_account_that_is_there() -> None:
    (statement,) = policies()["trust"]["Statement"]
    said = statement["Condition"]["StringEquals"].values()
    accounts = {
        f"system:serviceaccount:external-secrets:{role(name, store)}"
        for name in CLUSTERS
        for store in stores(name).values()
    }
    assert len(accounts & set(said)) == 1


def test_every_store_stands_in_the_table() -> None:
    table = (FOLDER / "README.md").read_text()
    names = {each for name in CLUSTERS for each in stores(name)}
    assert len(names) == 6
    assert {one for one in names if f"`{one}`" not in table} == set()


def test_nothing_that_is_a_secret_stands_in_a_manifest() -> None:
    documents = [
        one
        for folder in MANIFESTS
        for file in (ROOT / folder).rglob("*.yaml")
        for one in yaml.safe_load_all(file.read_text())
        if isinstance(one, dict)
    ]
    assert len(documents) > 100
    secrets = [one for one in documents if one.get("kind") == "Secret"]
    assert [
        one["metadata"]["name"] for one in secrets if "data" in one or "stringData" in one
    ] == []
    built = [one for name in CLUSTERS for one in objects(name) if one["kind"] == "Secret"]
    assert built == []
