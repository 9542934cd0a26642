"""The admin port: health, readiness and metrics."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry, Counter
from receiver_wire import Answer, Wire, request

from hub.receiver.admin import Admin, Probe
from hub.settings import AdminSettings


async def fine() -> str | None:
    return None


async def stuck() -> str | None:
    return "no run has moved for 90 s"


async def broken() -> str | None:
    raise ZeroDivisionError


async def silent() -> str | None:
    await asyncio.Event().wait()
    return None


@asynccontextmanager
async def administered(
    *,
    health: dict[str, Probe] | None = None,
    readiness: dict[str, Probe] | None = None,
    registry: CollectorRegistry | None = None,
) -> AsyncIterator[int]:
    admin = Admin(
        settings=AdminSettings(port=0),
        health=health or {},
        readiness=readiness or {},
        registry=registry or CollectorRegistry(),
    )
    port = await admin.start()
    try:
        yield port
    finally:
        await admin.stop()


async def ask(port: int, path: str, method: str = "GET") -> Answer:
    wire = await Wire.open(port)
    try:
        return await wire.exchange(request(path, method=method))
    finally:
        await wire.close()


async def test_a_hub_that_gets_on_with_its_work_is_healthy_and_ready() -> None:
    probes = {"dispatch": fine, "log": fine}
    async with administered(health=probes, readiness=probes) as port:
        health, ready = await ask(port, "/healthz"), await ask(port, "/readyz")

    assert (health.status, ready.status) == (200, 200)
    assert health.content == {"status": "ok", "problems": {}}


async def test_the_answer_names_who_has_which_problem() -> None:
    probes = {"dispatch": stuck, "log": fine, "journal": broken}
    async with administered(health={"log": fine}, readiness=probes) as port:
        health, ready = await ask(port, "/healthz"), await ask(port, "/readyz")

    assert health.status == 200
    assert ready.status == 503
    assert ready.content == {
        "status": "failing",
        "problems": {
            "dispatch": "no run has moved for 90 s",
            "journal": "the probe failed (ZeroDivisionError)",
        },
    }


async def test_a_probe_that_hangs_is_a_problem_and_hangs_nobody_else() -> None:
    async with administered(health={"disk": silent}) as port:
        health = await ask(port, "/healthz")

    assert health.status == 503
    assert "no answer" in health.content["problems"]["disk"]


async def test_metrics_are_written_as_prometheus_reads_them() -> None:
    """T127."""
    registry = CollectorRegistry()
    Counter("trunkline_things", "Things.", registry=registry).inc(3)
    async with administered(registry=registry) as port:
        answer = await ask(port, "/metrics")

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"trunkline_things_total 3.0" in answer.body


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 404),
        ("/webhooks/github", "POST", 404),
        ("/metrics/", "GET", 404),
        ("/healthz", "POST", 405),
        ("/metrics", "DELETE", 405),
    ],
)
async def test_there_is_nothing_else_on_this_port(path: str, method: str, status: int) -> None:
    """T127."""
    async with administered() as port:
        answer = await ask(port, path, method)

    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 405:
        assert answer.headers["allow"] == "GET, HEAD"
