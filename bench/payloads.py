"""Bodies of the sizes that GitHub sends: real payloads, and one with many commits."""

import json
from pathlib import Path

REAL = Path(__file__).parent.parent / "tests" / "data" / "github" / "octokit" / "api.github.com"


def write(folder: Path) -> dict[str, tuple[str, list[Path]]]:
    """Write 16 bodies of each size; return the event and the files by the size's name."""
    push = json.loads(next(iter(sorted(REAL.glob("push/*.json")))).read_bytes())
    pull = json.loads(next(iter(sorted(REAL.glob("pull_request/*.json")))).read_bytes())
    return {
        "7 KB": ("push", _files(folder, "push", push, pad_to=7_000)),
        "25 KB": ("pull_request", _files(folder, "pull", pull, pad_to=25_000)),
        "200 KB": ("push", _files(folder, "many", push, pad_to=200_000)),
    }


def _files(folder: Path, name: str, payload: dict[str, object], *, pad_to: int) -> list[Path]:
    commit = {
        "id": "a" * 40,
        "message": "Charge the card only once",
        "timestamp": "2026-11-22T10:00:00+01:00",
        "modified": ["src/main/java/company/Payment.java", "pom.xml"],
    }
    files = []
    for number in range(16):
        commits: list[object] = []
        body = _dump(payload, commits)
        while len(body) < pad_to:
            missing = pad_to - len(body)
            commits += [
                commit | {"id": f"{number:08x}{len(commits) + one:032x}"}
                for one in range(max(1, missing // 220))
            ]
            body = _dump(payload, commits)
        file = folder / f"{name}-{number}.json"
        file.write_bytes(body)
        files.append(file)
    return files


def _dump(payload: dict[str, object], commits: list[object]) -> bytes:
    return json.dumps(payload | {"commits": commits}, separators=(",", ":")).encode()
