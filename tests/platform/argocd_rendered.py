"""What Argo CD's own engine makes of our notifications; run as a program, it records that anew.

PYTHONPATH=.:tests python tests/platform/argocd_rendered.py
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from argocd_files import ROOT, Object, ask, document

DATA = ROOT.parent / "tests" / "data" / "argocd"
FOLDERS = (DATA / "applications", ROOT / "notifications" / "applications")
RECORDED = DATA / "rendered"

_CONFIGURATION = "notifications/argocd-notifications-cm.yaml"


def applications() -> dict[str, Object]:
    """Return every Application, by the name of its file."""
    return {file.stem: _read(file) for folder in FOLDERS for file in sorted(folder.iterdir())}


def _read(file: Path) -> Object:
    content = yaml.safe_load(file.read_text())
    return dict(json.loads(json.dumps(content, default=lambda time: f"{time:%Y-%m-%dT%H:%M:%SZ}")))


@cache
def told() -> dict[str, Any]:
    """Return for each Application what has fired, and every template as it is rendered."""
    known = applications()
    question = {
        "configMap": document(_CONFIGURATION),
        "secret": {"trunkline-token": "a token for tests, long enough"},
        "applications": list(known.values()),
    }
    return dict(zip(known, ask("notify", question)["answers"], strict=True))


def recordings() -> dict[Path, str]:
    """Return what is to stand in each file below `RECORDED`."""
    files = {}
    for name, one in told().items():
        for template, services in one["rendered"].items():
            files[Path(name, f"{template}.json")] = services["trunkline"]["body"]
        fired = [
            {key: each[key] for key in ("trigger", "oncePer", "templates")} for each in one["fired"]
        ]
        files[Path(name, "fired.json")] = json.dumps(fired, indent=2) + "\n"
    return files


if __name__ == "__main__":
    for place, text in recordings().items():
        (RECORDED / place).parent.mkdir(exist_ok=True)
        (RECORDED / place).write_text(text)
