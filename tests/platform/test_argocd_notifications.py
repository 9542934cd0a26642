"""Argo CD's own engine renders our notifications to what the hub's parser is tested with."""

import json
from pathlib import Path

import pytest
from argocd_rendered import RECORDED, applications, recordings, told

from hub.errors import Malformed
from hub.sources.argocd import take

pytestmark = pytest.mark.usefixtures("servers")


def test_what_is_recorded_is_what_the_engine_renders_now() -> None:
    recorded = {
        file.relative_to(RECORDED): file.read_text()
        for file in RECORDED.rglob("*")
        if file.is_file()
    }
    assert recorded == recordings()
    assert {file.parent for file in recorded} == {Path(name) for name in applications()}


def test_every_notification_is_posted_as_json() -> None:
    for one in told().values():
        for services in one["rendered"].values():
            assert set(services) == {"trunkline"}
            assert services["trunkline"]["method"] == "POST"
            assert json.loads(services["trunkline"]["body"])["app"]


def test_whatever_fires_goes_to_trunkline_and_the_hub_takes_it() -> None:
    for name, one in told().items():
        for fired in one["fired"]:
            assert fired["to"] == ["trunkline"]
            (template,) = fired["templates"]
            body = one["rendered"][template]["trunkline"]["body"].encode()
            if "metadata" not in applications()[name]:
                with pytest.raises(Malformed, match="name"):
                    take({}, body, hubkey="argocd/a")
                continue
            (event,) = tuple(take({}, body, hubkey="argocd/a"))
            named = fired["trigger"].removeprefix("on-trunkline-")
            assert event.type == f"io.argoproj.argocd.application.{named}.v1"
