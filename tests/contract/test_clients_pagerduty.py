"""PagerDuty's client against the sandbox's PagerDuty."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest

from hub.actions.action import Call
from hub.actions.pagerduty import ResolveIncident, SendChangeEvent, Severity, TriggerIncident
from hub.clients.http import Http
from hub.clients.pagerduty import PagerDuty
from hub.errors import PermanentError, TemporaryError
from hub.events.envelope import Envelope
from hub.sandbox.faults import Down, Faults, ResetAfterEffect, Status
from hub.sandbox.pagerduty import ChangeEvent, IncidentState
from hub.sandbox.pagerduty import PagerDuty as Service
from hub.secrets import SecretPlace
from hub.settings import PagerDutySettings, Secret

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
DEGRADED = TriggerIncident(
    dedup_key="argocd:order-service-production",
    summary="order-service-production: it is degraded",
    source="order-service-production",
    severity=Severity.CRITICAL,
    details=(("health", "Degraded"), ("revision", "0a1b2c3")),
    url="https://argocd.example.com/applications/argocd/order-service-production",
)
HEALTHY = ResolveIncident(dedup_key=DEGRADED.dedup_key)
DEPLOYED = SendChangeEvent(
    summary="order-service deployed to production",
    source="order-service-production",
    details=(("revision", "0a1b2c3"),),
    url="https://argocd.example.com/",
)
CALL = Call(
    event=Envelope(id="e", source="/s", type="t", partitionkey="k", data=b"{}"),
    handler="page_on_degraded",
    step=0,
    attempt=1,
)


@dataclass
class Setting:
    service: Service
    faults: Faults
    pagerduty: PagerDuty


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    faults = Faults()
    service = Service(faults=faults, routing_key=ROUTING_KEY)
    async with Http() as http:
        url = await service.start()
        yield Setting(service=service, faults=faults, pagerduty=client(http, url, key=ROUTING_KEY))
    await service.stop()


def client(http: Http, url: str, *, key: str) -> PagerDuty:
    place = Secret(variable="KEY")
    return PagerDuty(
        settings=PagerDutySettings(events_url=url, routing_key=place),
        http=http,
        routing_key=SecretPlace(place, name="pagerduty.routing_key", environment={"KEY": key}),
    )


async def test_degraded_pages_and_healthy_resolves(setting: Setting) -> None:
    await setting.pagerduty.trigger(DEGRADED, CALL)

    (incident,) = setting.service.incidents()
    assert (incident.state, incident.severity) == (IncidentState.TRIGGERED, "critical")
    assert (incident.summary, incident.source) == (DEGRADED.summary, DEGRADED.source)
    assert incident.details == {"health": "Degraded", "revision": "0a1b2c3"}
    assert incident.links == (DEGRADED.url,)

    await setting.pagerduty.resolve(HEALTHY, CALL)

    (incident,) = setting.service.incidents()
    assert incident.state is IncidentState.RESOLVED


async def test_the_same_key_is_the_same_incident_until_it_is_resolved(setting: Setting) -> None:
    for _ in range(3):
        await setting.pagerduty.trigger(DEGRADED, CALL)
    await setting.pagerduty.resolve(HEALTHY, CALL)
    await setting.pagerduty.resolve(HEALTHY, CALL)
    await setting.pagerduty.trigger(DEGRADED, CALL)

    states = [incident.state for incident in setting.service.incidents()]
    assert states == [IncidentState.RESOLVED, IncidentState.TRIGGERED]


async def test_resolving_what_was_never_triggered_does_nothing(setting: Setting) -> None:
    await setting.pagerduty.resolve(HEALTHY, CALL)

    assert setting.service.incidents() == ()


async def test_a_deployment_is_a_change_and_pages_nobody(setting: Setting) -> None:
    await setting.pagerduty.change(DEPLOYED, CALL)

    assert setting.service.incidents() == ()
    assert setting.service.changes() == (
        ChangeEvent(
            summary=DEPLOYED.summary,
            source=DEPLOYED.source,
            details={"revision": "0a1b2c3"},
            links=("https://argocd.example.com/",),
        ),
    )


async def test_row_103_a_lost_answer_pages_once(setting: Setting) -> None:
    setting.faults.fail("pagerduty", ResetAfterEffect(), times=1)
    with pytest.raises(TemporaryError):
        await setting.pagerduty.trigger(DEGRADED, CALL)

    await setting.pagerduty.trigger(DEGRADED, CALL)

    assert len(setting.service.incidents()) == 1


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        (Status(status=429), 60),
        (Status(status=429, retry_after=5), 60),
        (Status(status=429, retry_after=300), 300),
        (Status(status=500), 60),
        (Status(status=503), 60),
        (Down(), 60),
    ],
)
async def test_row_103_what_failed_is_tried_again_in_minutes(
    setting: Setting, kind: Status | Down, seconds: float
) -> None:
    setting.faults.fail("pagerduty", kind, times=1)

    with pytest.raises(TemporaryError) as caught:
        await setting.pagerduty.trigger(DEGRADED, CALL)

    assert caught.value.after == seconds


async def test_row_102_what_pagerduty_refuses_is_given_up_without_telling_the_key(
    setting: Setting,
) -> None:
    other = "f" * 32
    async with Http() as http:
        with pytest.raises(PermanentError, match=r"400.*Invalid routing key") as caught:
            await client(http, setting.service.url, key=other).trigger(DEGRADED, CALL)

    assert other not in str(caught.value)


async def test_row_105_what_is_too_long_is_cut_and_still_the_same_incident(
    setting: Setting,
) -> None:
    huge = replace(
        DEGRADED,
        dedup_key="argocd:" + "k" * 1000,
        summary="s" * 5000,
        source="o" * 5000,
        details=tuple((f"detail {n}", '\0"\u20ac' * 50_000) for n in range(300)),
    )

    await setting.pagerduty.trigger(huge, CALL)
    await setting.pagerduty.trigger(huge, CALL)

    (incident,) = setting.service.incidents()
    assert (incident.events, len(incident.dedup_key), len(incident.summary)) == (2, 255, 1024)
    assert "detail 0" in incident.details
    await setting.pagerduty.resolve(ResolveIncident(dedup_key=huge.dedup_key), CALL)
    assert setting.service.incidents()[0].state is IncidentState.RESOLVED


async def test_an_incident_without_words_is_still_one(setting: Setting) -> None:
    await setting.pagerduty.trigger(replace(DEGRADED, summary="", source=""), CALL)

    assert len(setting.service.incidents()) == 1


EVENT = {
    "routing_key": ROUTING_KEY,
    "event_action": "trigger",
    "payload": {"summary": "s", "source": "o", "severity": "critical"},
}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 202),
        ({"event_action": "acknowledge", "dedup_key": "k"}, 202),
        ({"event_action": "acknowledge"}, 400),
        ({"event_action": "reopen"}, 400),
        ({"routing_key": None}, 400),
        ({"routing_key": "short"}, 400),
        ({"dedup_key": "k" * 256}, 400),
        ({"payload": None}, 400),
        ({"payload": {"summary": "s", "source": "o", "severity": "fatal"}}, 400),
        ({"payload": {"summary": "s" * 1025, "source": "o", "severity": "info"}}, 400),
        ({"payload": {"summary": "s", "severity": "info"}}, 400),
        ({"padding": "x" * 600_000}, 413),
    ],
)
async def test_the_sandbox_refuses_what_pagerduty_refuses(
    setting: Setting, change: dict[str, Any], status: int
) -> None:
    address = f"{setting.service.url}/v2/enqueue"
    body = json.dumps({**EVENT, **change})

    async with aiohttp.ClientSession() as session, session.post(address, data=body) as answer:
        assert answer.status == status
        told = await answer.json()

    assert told["status"] == ("success" if status == 202 else "invalid event")
