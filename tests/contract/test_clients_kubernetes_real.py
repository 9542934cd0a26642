"""The Kubernetes clients against the real API server, with real custom resources."""

from collections.abc import AsyncIterator

import pytest
from kubernetes_clients_suite import ArgoSuite, TektonSuite
from kubernetes_real_home import RealHome, real_home
from kubernetes_suite import KubernetesSuite
from kubernetes_watching_suite import FollowingSuite
from servers.kubernetes import KubernetesServer


@pytest.fixture
async def home(kubernetes_server: KubernetesServer) -> AsyncIterator[RealHome]:
    async with real_home(kubernetes_server) as opened:
        yield opened


class TestRealServer(KubernetesSuite, FollowingSuite, TektonSuite, ArgoSuite):
    pass
