"""The real API server takes what people may ask for, and refuses what they may not."""

import copy
from typing import Any

import pytest
from servers.administrator import ObjectRefused
from servers.composites import Object, write_crds
from servers.kubernetes import KubernetesServer


@pytest.fixture(scope="module")
def cluster(kubernetes_server: KubernetesServer, tmp_path_factory: Any) -> KubernetesServer:
    kubernetes_server.install(write_crds(tmp_path_factory.mktemp("crds")))
    return kubernetes_server


def database(namespace: str, **parameters: object) -> Object:
    """Return a database as its team writes it, with some parameters changed."""
    asked = {
        "storageGB": 50,
        "instanceClass": "db.t4g.large",
        "multiAZ": True,
        "backupRetentionDays": 14,
    }
    return {
        "apiVersion": "platform.company.com/v1alpha1",
        "kind": "PostgreSQLInstance",
        "metadata": {"name": "order-service-db", "namespace": namespace},
        "spec": {
            "parameters": asked | parameters,
            "writeConnectionSecretToRef": {"name": "order-service-db-secret"},
        },
    }


def test_a_database_within_its_bounds_is_taken(cluster: KubernetesServer) -> None:
    cluster.apply(database(cluster.fresh_namespace()))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("backupRetentionDays", 0),
        ("backupRetentionDays", 6),
        ("backupRetentionDays", 36),
        ("storageGB", 5),
        ("storageGB", 1001),
        ("storageGB", "50"),
        ("instanceClass", "db.x2iedn.32xlarge"),
        ("multiAZ", "yes"),
        ("publiclyAccessible", True),
    ],
)
def test_a_database_out_of_its_bounds_is_refused(
    cluster: KubernetesServer, field: str, value: object
) -> None:
    with pytest.raises(ObjectRefused, match=field):
        cluster.apply(database(cluster.fresh_namespace(), **{field: value}), dry_run=True)


def test_a_secret_in_another_namespace_is_refused(cluster: KubernetesServer) -> None:
    asked = copy.deepcopy(database(cluster.fresh_namespace()))
    asked["spec"]["writeConnectionSecretToRef"]["namespace"] = "production"
    with pytest.raises(ObjectRefused, match="namespace"):
        cluster.apply(asked, dry_run=True)


@pytest.mark.parametrize("name", ["payments-database", "order-service", "order-service-dbs"])
def test_a_secret_that_is_not_named_as_the_database_is_refused(
    cluster: KubernetesServer, name: str
) -> None:
    asked = database(cluster.fresh_namespace())
    asked["spec"]["writeConnectionSecretToRef"] = {"name": name}
    with pytest.raises(ObjectRefused, match="named as the database"):
        cluster.apply(asked, dry_run=True)
    asked["spec"]["writeConnectionSecretToRef"] = {"name": "order-service-db"}
    cluster.apply(asked, dry_run=True)


@pytest.mark.parametrize("name", ["9-lives", "a.b", "a--b", "a" * 51])
def test_a_database_that_rds_could_not_name_is_refused(
    cluster: KubernetesServer, name: str
) -> None:
    asked = database(cluster.fresh_namespace())
    asked["metadata"]["name"] = name
    asked["spec"]["writeConnectionSecretToRef"] = {"name": name[:40].replace(".", "-")}
    with pytest.raises(ObjectRefused, match=r"RDS takes no other|50"):
        cluster.apply(asked, dry_run=True)


def test_a_disk_grows_and_does_not_shrink(cluster: KubernetesServer) -> None:
    namespace = cluster.fresh_namespace()
    cluster.apply(database(namespace))
    cluster.apply(database(namespace, storageGB=60))
    with pytest.raises(ObjectRefused, match="cannot shrink"):
        cluster.apply(database(namespace, storageGB=50))


@pytest.mark.parametrize(
    ("kind", "field", "good", "bad"),
    [
        ("S3Bucket", "expireOldVersionsDays", 30, 0),
        ("SQSQueue", "maxReceiveCount", 3, 0),
        ("SQSQueue", "visibilityTimeoutSeconds", 30, 43201),
    ],
)
def test_a_bucket_or_queue_is_held_to_its_bounds(
    cluster: KubernetesServer, kind: str, field: str, good: int, bad: int
) -> None:
    asked = {
        "apiVersion": "platform.company.com/v1alpha1",
        "kind": kind,
        "metadata": {"name": "orders", "namespace": cluster.fresh_namespace()},
    }
    cluster.apply({**asked, "spec": {field: good}})
    with pytest.raises(ObjectRefused, match=field):
        cluster.apply({**asked, "spec": {field: bad}})
