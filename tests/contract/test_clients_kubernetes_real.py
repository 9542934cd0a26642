"""The Kubernetes clients against the real API server, with real custom resources."""

from collections.abc import AsyncIterator

import pytest
from kubernetes_clients_suite import ArgoSuite, CrossplaneSuite, TektonSuite
from kubernetes_real_home import RealHome, real_home
from kubernetes_suite import KubernetesSuite
from kubernetes_watching_suite import FollowingSuite
from servers.composites import write_crds
from servers.kubernetes import KubernetesServer


@pytest.fixture(scope="module")
def cluster(
    kubernetes_server: KubernetesServer, tmp_path_factory: pytest.TempPathFactory
) -> KubernetesServer:
    """The server with what people ask Crossplane for."""
    kubernetes_server.install(write_crds(tmp_path_factory.mktemp("crds")))
    return kubernetes_server


@pytest.fixture
async def home(cluster: KubernetesServer) -> AsyncIterator[RealHome]:
    async with real_home(cluster) as opened:
        yield opened


class TestRealServer(KubernetesSuite, FollowingSuite, TektonSuite, ArgoSuite, CrossplaneSuite):
    pass
