"""Tekton's own controllers beside a real API server, and whoever listens to their events.

There are no nodes: a pod that Tekton makes stays pending until a test says how it ends.
"""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .kubernetes import KubernetesServer
from .place import program
from .process import HOST, HeldPort

NAMESPACE = "tekton-pipelines"
CONFIGURED = (
    *("config-defaults", "config-events", "config-leader-election-controller"),
    *("config-leader-election-events", "config-logging", "config-observability"),
    *("config-registry-cert", "config-spire", "config-tracing", "config-wait-exponential-backoff"),
    "feature-flags",
)
"""The ConfigMaps that the controllers wait for; what is not in them is as Tekton has it."""

_IMAGES = ("entrypoint", "nop", "shell", "sidecarlogresults", "workingdirinit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An event of Tekton's, as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes


class Sink:
    """Takes events as the hub does, and keeps them."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                sink.sent.append(Sent(path=self.path, headers=headers, body=body))
                self.send_response(202)
                self.end_headers()

            def log_message(self, *_said: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_port}"

    def serve(self) -> None:
        self._server.serve_forever()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def sink() -> Iterator[Sink]:
    """Listen while the block lasts."""
    one = Sink()
    thread = threading.Thread(target=one.serve)
    thread.start()
    yield one
    one.stop()
    thread.join()


@contextmanager
def tekton(server: KubernetesServer, folder: Path) -> Iterator[None]:
    """Run the controllers while the block lasts; what they say goes into `folder`."""
    config = folder / "kubeconfig"
    server.write_kubeconfig(config)
    images = [
        part for image in _IMAGES for part in (f"-{image}-image", f"registry.example.com/{image}")
    ]
    with ExitStack() as stack:
        for name in ("controller", "events"):
            more = [*images, "-shell-image-win", "registry.example.com/x"]
            process = subprocess.Popen(
                [
                    *(program(f"tekton-{name}"), "-kubeconfig", config, "-disable-ha"),
                    *(more if name == "controller" else ()),
                ],
                stdout=stack.enter_context((folder / f"{name}.log").open("w")),
                stderr=subprocess.STDOUT,
                env={**os.environ, **_surroundings(name)},
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def _surroundings(name: str) -> dict[str, str]:
    ports = [HeldPort() for _ in range(3)]
    for port in ports:
        port.release()
    probes, metrics, profiling = (str(port.number) for port in ports)
    return {
        "SYSTEM_NAMESPACE": NAMESPACE,
        "PROBES_PORT": probes,
        "METRICS_PROMETHEUS_PORT": metrics,
        "PROFILING_PORT": profiling,
        "METRICS_DOMAIN": "tekton.dev/pipeline",
        "CONFIG_OBSERVABILITY_NAME": "config-observability",
        "CONFIG_FEATURE_FLAGS_NAME": "feature-flags",
        "CONFIG_LEADERELECTION_NAME": f"config-leader-election-{name}",
    }
