"""Crossplane's composition function, the real one, in a process and an environment of its own."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .place import FUNCTION

Object = dict[str, Any]


class Function:
    """Composes resources. One question at a time."""

    def __init__(self, questions: IO[str], answers: IO[str]) -> None:
        self._questions = questions
        self._answers = answers

    def run(self, request: Object) -> Object:
        """Put a RunFunctionRequest to the function, and return its RunFunctionResponse."""
        self._questions.write(f"{json.dumps(request)}\n")
        self._questions.flush()
        answer: Object = json.loads(self._answers.readline())
        return answer


@contextmanager
def function(log: Path) -> Iterator[Function]:
    """Run the function while the block lasts; what it says for people goes into `log`."""
    caller = Path(__file__).with_name("function_caller.py")
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [FUNCTION.folder / "bin" / "python", caller],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        yield Function(process.stdin, process.stdout)
        # It ends, and ends the server, when nothing more is asked.
        process.stdin.close()
