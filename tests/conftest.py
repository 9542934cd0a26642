"""The real servers that tests are told on, each started when the first test asks for it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.kafka import KafkaCluster, kafka_cluster
from servers.kubernetes import KubernetesServer, kubernetes
from servers.kustomize import kustomize
from servers.place import missing
from servers.postgres import PostgresServer, postgres


@pytest.fixture(scope="session")
def servers() -> None:
    """Skip what needs a server that was not brought here; where CI is told to be strict, fail."""
    reason = missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def kafka_server(servers: None) -> Iterator[KafkaCluster]:
    """One broker for all tests; each keeps to topics of its own, and leaves it running."""
    with kafka_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgres_server(servers: None) -> Iterator[PostgresServer]:
    """One server for all tests; each takes a `fresh_database`, and leaves it running."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def kubernetes_server(servers: None) -> Iterator[KubernetesServer]:
    """One API server for all tests; each takes a `fresh_namespace`, and leaves it running.

    The custom resources of Tekton, Argo CD and Crossplane are installed in it.
    """
    with kubernetes() as server:
        yield server


@pytest.fixture(scope="session")
def kustomize_build(servers: None) -> Callable[[Path], list[dict[str, Any]]]:
    """What turns a folder with a kustomization into the objects that it stands for."""
    return kustomize
