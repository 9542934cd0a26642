"""Crossplane's own controllers and its RBAC manager beside a real API server.

They have the rights that Crossplane's chart gives them and those that are added to these, and no
more. They reach no registry and no provider: packages are laid into the cluster as if they had been
installed. Nor is anything here that is Kubernetes' own part: rights are added up once, before
Crossplane starts, and what nobody owns any more stays.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from .administrator import Object
from .certificates import Credentials, make_credentials
from .kubernetes import KubernetesServer
from .place import FUNCTION, program
from .process import HeldPort, ServerProcess

_RBAC = "rbac.authorization.k8s.io/v1"
_ADDED = "rbac.crossplane.io/aggregate-to-crossplane"
_PROVIDER = "providers-1"
_PAUSED = {"crossplane.io/paused": "true"}
"""Else Crossplane would fetch the package."""


def install_definitions(server: KubernetesServer) -> None:
    """Install Crossplane's own custom resources."""
    server.install(*sorted(_files().glob("*.crossplane.io_*.yaml")))


@contextmanager
def crossplane(
    server: KubernetesServer,
    folder: Path,
    *,
    function: str,
    asked: Sequence[Object],
    managed: Sequence[Object],
    policy: Object,
) -> Iterator[Object]:
    """Run Crossplane while the block lasts, and yield the role with all its rights.

    What it says goes into `folder`. `asked` are the definitions of what can be asked for, `managed`
    those of the providers' resources, of which the policy activates some. Whatever else gives
    Crossplane rights is there already.
    """
    credentials = make_credentials(folder)
    server.apply(*asked, *managed, policy)
    _install_providers(server, managed)
    with ExitStack() as stack:
        rules = _chart_rules("rbac-manager-clusterrole.yaml")
        manager = _program("rbac", server, folder, server.account(*rules), [])
        stack.enter_context(_running(manager))
        manager.wait_until(lambda: _expected(asked) <= _added(server).keys())
        server.apply(_revision("Provider", _PROVIDER, paused=True))

        address = stack.enter_context(_served_function(folder, credentials))
        _install_function(server, function, address)
        added = [rule for rules in _added(server).values() for rule in rules]
        account = server.account(*_chart_rules("clusterrole.yaml"), *added)
        core = _program("core", server, folder, account, _core_options(folder, credentials))
        stack.enter_context(_running(core))
        active = [one for one in managed if one["metadata"]["name"] in policy["spec"]["activate"]]
        core.wait_until(lambda: server.serves(*asked, *active))
        yield {"apiVersion": _RBAC, "kind": "ClusterRole", "metadata": {"name": account.stem}}


def _files() -> Path:
    return program("crossplane").parent


def _chart_rules(file: str) -> list[Object]:
    """Return the rules of a role in the chart, whatever conditions its template has around them."""
    text = (_files() / file).read_text()
    plain = re.sub(r"^ *\{\{.*\}\}$", "", text, flags=re.MULTILINE)
    named = re.sub(r"\{\{[^}]*\}\}", "crossplane", plain)
    rules = [rule for one in yaml.safe_load_all(named) if one for rule in one.get("rules") or ()]
    assert rules
    return rules


def _expected(asked: Sequence[Object]) -> set[str]:
    """Return the roles by which the RBAC manager lets Crossplane have what is defined."""
    composites = [f"crossplane:composite:{one['metadata']['name']}" for one in asked]
    return {
        f"crossplane:provider:{_PROVIDER}:aggregate-to-edit",
        *(f"{name}:aggregate-to-crossplane" for name in composites),
    }


def _added(server: KubernetesServer) -> dict[str, list[Any]]:
    """Return the rules that Crossplane is to have beside the chart's, by the names of the roles."""
    return {
        one["metadata"]["name"]: one["rules"]
        for one in server.objects(_RBAC, "ClusterRole")
        if one["metadata"].get("labels", {}).get(_ADDED) == "true"
    }


def _install_providers(server: KubernetesServer, managed: Sequence[Object]) -> None:
    revision = _revision("Provider", _PROVIDER)
    server.apply(revision)
    defined = [
        {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": one["metadata"]["name"]}
        for one in managed
    ]
    server.patch_status(revision, {"objectRefs": defined})


def _install_function(server: KubernetesServer, name: str, address: str) -> None:
    revision = _revision("Function", f"{name}-1", package=name, paused=True)
    server.apply(revision)
    server.patch_status(revision, {"endpoint": address, "capabilities": ["composition"]})


def _revision(kind: str, name: str, *, package: str = "", paused: bool = False) -> Object:
    return {
        "apiVersion": "pkg.crossplane.io/v1",
        "kind": f"{kind}Revision",
        "metadata": {
            "name": name,
            "labels": {"pkg.crossplane.io/package": package or name},
            "annotations": _PAUSED if paused else {},
        },
        "spec": {
            "image": f"registry.example.com/platform/{name}:v1.0.0",
            "desiredState": "Active",
            "revision": 1,
        },
    }


@contextmanager
def _served_function(folder: Path, credentials: Credentials) -> Iterator[str]:
    """Serve the function as its package does, for whoever has a certificate; yield its address."""
    place = HeldPort()
    both = credentials.server_file
    certificates = _laid(folder / "function-tls", credentials, certificate=both, key=both)
    function = ServerProcess(
        command=[
            *(FUNCTION.folder / "bin" / "function-pythonic", "--address", place.address),
            *("--tls-certs-dir", certificates),
        ],
        log=folder / "function.log",
        ready="",  # it says nothing, and Crossplane waits for it
    )
    try:
        with _running(function):
            yield place.address
    finally:
        place.release()


def _core_options(folder: Path, credentials: Credentials) -> list[str]:
    certificates = _laid(
        folder / "crossplane-tls",
        credentials,
        certificate=credentials.certificate_file,
        key=credentials.key_file,
    )
    return [
        f"--tls-client-certs-dir={certificates}",
        f"--xpkg-cache-dir={folder / 'packages'}",
        "--enable-webhooks=false",
        "--metrics-port=0",
        "--health-probe-port=0",
    ]


def _laid(folder: Path, credentials: Credentials, *, certificate: Path, key: Path) -> Path:
    """Lay a key and its certificate as Crossplane's Secrets have them; return the folder."""
    folder.mkdir()
    shutil.copy(credentials.ca_file, folder / "ca.crt")
    shutil.copy(certificate, folder / "tls.crt")
    shutil.copy(key, folder / "tls.key")
    return folder


def _program(
    part: str, server: KubernetesServer, folder: Path, account: Path, options: Sequence[str]
) -> ServerProcess:
    config = folder / f"{part}.kubeconfig"
    server.write_kubeconfig(config, token=account.read_text())
    return ServerProcess(
        command=["env", f"KUBECONFIG={config}", program("crossplane"), part, "start", *options],
        log=folder / f"{part}.log",
        ready="Starting workers",
    )


@contextmanager
def _running(process: ServerProcess) -> Iterator[None]:
    try:
        process.start()
        yield
    finally:
        process.kill()
