"""What it costs to see by watching that an object changed, and that nothing of it is news."""

import time

import orjson

from bench.table import Row
from hub.clients.kubernetes import name_of
from hub.sources.argocd import see
from hub.sources.interface import Sighting
from hub.watcher import Memory

CHANGES = 20_000
NOON = 1_770_000_000.0
SINCE = "2026-02-01T12:00:00Z"


async def measure() -> list[Row]:
    """Measure, and return the row."""
    body = orjson.dumps(_application())
    sighting = Sighting(
        cluster="platform",
        group="argoproj.io",
        version="v1alpha1",
        plural="applications",
        kind="Application",
        body=body,
    )
    memory = Memory(stuck_seconds=900.0, oldest_seconds=30 * 86_400.0)
    began = time.process_time()
    news = 0
    for _ in range(CHANGES):
        name, seen = name_of(body), see(sighting)
        news += sum(1 for _ in memory.news(name, seen, wall=NOON))
        memory.keep(name, seen)
    used = (time.process_time() - began) / CHANGES * 1e6
    return [
        Row(
            what=f"a change of an Application of {len(body) // 1000} KB, seen by watching, no news",
            measured=f"{used:.0f} µs CPU; {news} events of {CHANGES:,} changes",
            goal="",
            reached=None,
        )
    ]


def _application() -> dict[str, object]:
    """Return one as large as they are: sixty resources, ten deployments, who owns which field."""
    resource = {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "staging"}
    fields = {f"f:field{number}": {".": {}, "f:a": {}, "f:b": {}} for number in range(60)}
    synced = {"message": "deployment.apps/orders configured", "status": "Synced"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "namespace": "argocd",
            "name": "orders-staging",
            "uid": "0b1e2f34-0000-4000-8000-000000000001",
            "labels": {"trunkline.dev/service": "orders", "trunkline.dev/environment": "staging"},
            "managedFields": [{"manager": "argocd", "operation": "Update", "fieldsV1": fields}],
        },
        "spec": {"project": "microservices", "source": {"repoURL": "https://example.com/x.git"}},
        "status": {
            "health": {"status": "Healthy", "lastTransitionTime": SINCE},
            "sync": {"status": "Synced", "revision": "a" * 40},
            "operationState": {
                "phase": "Succeeded",
                "startedAt": SINCE,
                "finishedAt": SINCE,
                "syncResult": {
                    "revision": "a" * 40,
                    "resources": [resource | synced | {"name": f"d{one}"} for one in range(40)],
                },
            },
            "resources": [resource | {"name": f"d{one}"} for one in range(60)],
            "history": [
                {"id": one, "revision": "a" * 40, "deployedAt": SINCE} for one in range(10)
            ],
        },
    }
