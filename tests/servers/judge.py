"""Programs that have an operator's own code in them, and judge our files by it."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from .place import program

_SECONDS = 60.0


def ask(judge: str, command: str, question: Mapping[str, Any]) -> Any:
    """Put a question to one of the programs, and return its answer; fails where it has none."""
    done = subprocess.run(
        [program(judge), command],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
