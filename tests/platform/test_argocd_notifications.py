"""What Argo CD's own engine makes of the notifications, and what the hub makes of that."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from argocd_files import FOLDER, Object, ask

from hub.sources.argocd import take
from hub.sources.interface import Ignored

pytestmark = pytest.mark.usefixtures("servers")

DATA = Path(__file__).parents[1] / "data" / "argocd"
CONFIG = FOLDER / "notifications" / "argocd-notifications-cm.yaml"
HERE = Path(__file__).parent / "argocd_applications"
FILES = sorted([*(DATA / "applications").iterdir(), *HERE.iterdir()])
TOKEN = "a token that goes into the header"


def read(file: Path) -> Object:
    """Read an Application, its times as Kubernetes has them."""
    text = file.read_text()
    found = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    one: Object = json.loads(json.dumps(found, default=lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}"))
    return one


def told(file: Path) -> dict[str, Any]:
    """What Argo CD tells of an Application: what has fired, and every template rendered."""
    (answer,) = ask(
        "notify",
        configMap=yaml.safe_load(CONFIG.read_text()),
        secret={"trunkline-token": TOKEN},
        applications=[read(file)],
    )["answers"]
    one: dict[str, Any] = answer
    return one


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_was_recorded_is_what_argo_cd_tells(file: Path) -> None:
    recorded = DATA / "rendered" / file.stem
    answer = told(file)
    for name, rendered in answer["rendered"].items():
        body = json.loads(rendered["trunkline"]["body"])
        assert body == json.loads((recorded / f"{name}.json").read_text())
    fired = [
        {name: one[name] for name in ("trigger", "oncePer", "templates")} for one in answer["fired"]
    ]
    assert fired == json.loads((recorded / "fired.json").read_text())
    assert all(one["to"] == ["trunkline"] for one in answer["fired"])


@pytest.mark.parametrize(
    "file", [file for file in FILES if "metadata" in read(file)], ids=lambda file: file.stem
)
def test_the_hub_takes_all_that_argo_cd_sends(file: Path) -> None:
    answer = told(file)
    for one in answer["fired"]:
        for template in one["templates"]:
            body = answer["rendered"][template]["trunkline"]["body"].encode()
            assert not isinstance(take({}, body, hubkey="argocd/a"), Ignored)
