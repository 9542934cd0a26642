"""A Kubernetes of its own for tests: the real API server and the real etcd, on loopback.

There are no nodes and no controllers: what is written stays as it was written until a test plays
the controller. So a new namespace has no default service account, a quota counts nothing until its
status says what it allows, and a namespace that is deleted does not go.
"""

import json
import secrets
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from .accounts import give_account
from .administrator import Administrator, Object, ObjectRefused
from .certificates import make_credentials
from .etcd import Etcd
from .place import program
from .process import HOST, HeldPort, ServerProcess

PLATFORM = tuple(sorted((Path(__file__).parents[1] / "data" / "crds").rglob("*.yaml")))
"""The custom resources of Tekton, Argo CD and Crossplane, as they come from there."""

_CRD_VERSION = "apiextensions.k8s.io/v1"
_CRD = "CustomResourceDefinition"
_HANDS = 4
"""Definitions that are applied at a time."""

_OPTIONS = {
    "bind-address": HOST,
    "advertise-address": HOST,
    "endpoint-reconciler-type": "none",
    "service-cluster-ip-range": "10.0.0.0/24",
    "authorization-mode": "RBAC",
    "service-account-issuer": "https://kubernetes.default.svc",
    "etcd-compaction-interval": "24h",
    "profiling": "false",
}
"""Admission, priority and fairness, and the watch cache stay as they come: on. etcd is compacted
only when a test says so."""


class KubernetesServer(Administrator):
    """An API server with its etcd, whose data survive `stop` and `kill`.

    `start`, `stop`, `kill`, `pause`, `resume` and `restart` are about the API server; `etcd` has
    its own. They wait, and not on an event loop; see `ServerProcess`. What is asked of the API
    server is asked in its administrator's name; see `Administrator`.
    """

    def __init__(self, folder: Path, *, options: Mapping[str, str]) -> None:
        credentials = make_credentials(folder)
        self.ca_file = credentials.ca_file
        self.admin_token_file = folder / "admin-token"
        self.admin_token_file.write_text(secrets.token_urlsafe(24))
        self.etcd = Etcd(folder)
        self._folder = folder
        self._numbers = count(1)
        self._place = HeldPort()
        super().__init__(
            port=self._place.number,
            tls=ssl.create_default_context(cafile=credentials.ca_file),
            token=self.admin_token_file.read_text(),
        )
        flags = {
            **_OPTIONS,
            "secure-port": str(self._place.number),
            "etcd-servers": self.etcd.url,
            "cert-dir": folder / "certificates",
            "tls-cert-file": credentials.server_file,
            "tls-private-key-file": credentials.server_file,
            "token-auth-file": self._known_tokens(),
            "service-account-key-file": credentials.certificate_file,
            "service-account-signing-key-file": credentials.key_file,
            **options,
        }
        self._process = ServerProcess(
            command=[
                program("kube-apiserver"),
                *(f"--{name}={value}" for name, value in flags.items()),
            ],
            log=folder / "kube-apiserver.log",
            ready="Serving securely on",
        )

    @property
    def url(self) -> str:
        return f"https://{self._place.address}"

    @property
    def port(self) -> int:
        return self._place.number

    def start(self) -> None:
        """Start both where they do not run, and wait until all is there to be used.

        Raises `ServerFailedError`.
        """
        self.etcd.start()
        self._process.start()
        self._process.wait_until(self._is_ready)

    def stop(self) -> None:
        """Ask the API server to stop: it answers what it was asked and closes its watches."""
        self._process.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """End the API server with SIGKILL."""
        self._process.kill()

    def pause(self) -> None:
        """Freeze the API server: it keeps its connections and answers nothing."""
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def close(self) -> None:
        self.kill()
        self.etcd.close()
        self._place.release()

    def fresh_namespace(self) -> str:
        """Create an empty namespace of a name of its own, and return its name."""
        name = f"fresh-{next(self._numbers)}"
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def install_platform(self) -> None:
        """Install the custom resources of `PLATFORM`."""
        self.install(*PLATFORM)

    def install(self, *files: Path) -> None:
        """Apply what files of custom resource definitions hold, and wait until it is served."""
        crds = [one for file in files for one in _documents(file)]
        with ThreadPoolExecutor(_HANDS) as pool:
            list(pool.map(self.apply, crds))
        wanted = {one["metadata"]["name"] for one in crds}
        self._process.wait_until(lambda: wanted <= self._established())
        for one in crds:
            self._process.wait_until(partial(self._is_served, one))

    def serves(self, *crds: Object) -> bool:
        """Say whether custom resources are served, whoever defines them.

        Crossplane's own definitions are of the same form, and will do.
        """
        wanted = {one["metadata"]["name"] for one in crds}
        return wanted <= self._established() and all(self._is_served(one) for one in crds)

    def account(self, *rules: Object, namespace: str | None = None) -> Path:
        """Create a service account that may do what PolicyRules say; return its token's file.

        The rules hold in one namespace, or in the whole cluster.
        """
        name = f"account-{next(self._numbers)}"
        file = self._folder / f"{name}.token"
        file.write_text(give_account(self, name, rules, namespace=namespace))
        return file

    def write_kubeconfig(self, file: Path, *, token: str | None = None) -> None:
        """Write what programs sign in by: as the administrator, or as who has the token."""
        one = "test"
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        user = {"token": token or self.admin_token_file.read_text()}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": one,
            "clusters": [{"name": one, "cluster": cluster}],
            "users": [{"name": one, "user": user}],
            "contexts": [{"name": one, "context": {"cluster": one, "user": one}}],
        }
        file.write_text(json.dumps(content))

    def compact(self) -> None:
        """Let etcd forget all versions: what goes on from one before the last change gets 410.

        The API server keeps a part in memory itself: it goes on with lists for up to 15 seconds,
        and with watches until it is started anew. With the option `watch-cache` at `false` it keeps
        nothing.
        """
        self.etcd.compact()

    def _known_tokens(self) -> Path:
        file = self._folder / "tokens.csv"
        file.write_text(f"{self.admin_token_file.read_text()},admin,admin,system:masters\n")
        return file

    def _is_ready(self) -> bool:
        try:
            self.ask("GET", "/readyz")
        except (OSError, ObjectRefused):
            return False
        return True

    def _established(self) -> set[str]:
        return {
            one["metadata"]["name"]
            for one in self.objects(_CRD_VERSION, _CRD)
            for condition in one.get("status", {}).get("conditions") or ()
            if (condition["type"], condition["status"]) == ("Established", "True")
        }

    def _is_served(self, crd: Object) -> bool:
        spec = crd["spec"]
        kinds = [
            (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            for version in spec["versions"]
            if version["served"]
        ]
        try:
            return all(self.objects(*kind) is not None for kind in kinds)
        except ObjectRefused:
            return False


def _documents(file: Path) -> list[Object]:
    return [one for one in yaml.load_all(file.read_text(), yaml.CSafeLoader) if one]


@contextmanager
def kubernetes(
    *, options: Mapping[str, str] | None = None, platform: bool = True
) -> Iterator[KubernetesServer]:
    """Run a server with options of kube-apiserver, and throw it away with all its data."""
    with TemporaryDirectory(prefix="trunkline-kubernetes-") as folder:
        server = KubernetesServer(Path(folder), options=options or {})
        try:
            server.start()
            if platform:
                server.install_platform()
            yield server
        finally:
            server.close()
