"""An etcd of its own for tests: what the API server of Kubernetes keeps its objects in."""

import http.client
import json
import shutil
from base64 import b64encode
from http import HTTPStatus
from pathlib import Path
from typing import Any

from .life import ServerFailedError
from .place import program
from .process import HeldPort, ServerProcess

_ANSWER_SECONDS = 30.0
_EVERYTHING = {"key": "AA==", "range_end": "AA==", "count_only": True}
"""From the byte 0 to the byte 0, which stands for the end."""

_COMPACTED = "compact_rev_key"
"""Where API servers tell each other what is forgotten."""


class Etcd:
    """One server with one data folder, which survives `stop` and `kill`; see `ServerProcess`.

    It does not wait for the disk. A machine that loses power would lose what was written last;
    a process that is killed does not.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / "etcd"
        self._saved = folder / "etcd-saved"
        self._client = HeldPort()
        self._peer = HeldPort()
        self.url = f"http://{self._client.address}"
        peer = f"http://{self._peer.address}"
        flags = {
            "name": "only",
            "data-dir": self._data,
            "listen-client-urls": self.url,
            "advertise-client-urls": self.url,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"only={peer}",
            "unsafe-no-fsync": "true",
        }
        self._process = ServerProcess(
            command=[program("etcd"), *(f"--{name}={value}" for name, value in flags.items())],
            log=folder / "etcd.log",
            ready="ready to serve client requests",
        )

    def start(self) -> None:
        """Start it and wait until it takes requests; raises `ServerFailedError`."""
        self._process.start()

    def stop(self) -> None:
        self._process.stop()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()

    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nothing."""
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def save(self) -> None:
        """Keep a copy of all data, while it does not run."""
        shutil.rmtree(self._saved, ignore_errors=True)
        shutil.copytree(self._data, self._saved)

    def restore(self) -> None:
        """Take all data back to what they were at the last `save`, while it does not run."""
        shutil.rmtree(self._data)
        shutil.copytree(self._saved, self._data)

    def close(self) -> None:
        self.kill()
        self._client.release()
        self._peer.release()

    def compact(self) -> None:
        """Forget all revisions so far, and say so as one API server says it to another.

        Saying it makes a revision more, which is the only one that is left.
        """
        last = self._ask("range", _EVERYTHING)["header"]["revision"]
        said = self._ask("put", {"key": _encoded(_COMPACTED), "value": _encoded(last)})
        left = said["header"]["revision"]
        self._ask("compaction", {"revision": left, "physical": True})

    def _ask(self, what: str, content: dict[str, Any]) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._client.address, timeout=_ANSWER_SECONDS)
        try:
            connection.request("POST", f"/v3/kv/{what}", json.dumps(content))
            answer = connection.getresponse()
            found: dict[str, Any] = json.load(answer)
        finally:
            connection.close()
        if answer.status != HTTPStatus.OK:
            raise ServerFailedError(f"etcd refuses the {what}: {found}")
        return found


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
