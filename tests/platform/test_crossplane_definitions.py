"""The real API server takes the definitions of what people can ask Crossplane for, strictly."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers.administrator import ObjectRefused
from servers.kubernetes import KubernetesServer

FOLDER = Path(__file__).parents[2] / "crossplane" / "definitions"
DEFINITIONS = sorted(FOLDER.glob("[!k]*.yaml"))


def definition(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


@pytest.mark.parametrize("file", DEFINITIONS, ids=lambda file: file.stem)
def test_the_api_server_takes_a_definition(kubernetes_server: KubernetesServer, file: Path) -> None:
    kubernetes_server.apply(definition(file), dry_run=True)


@pytest.mark.parametrize("file", DEFINITIONS, ids=lambda file: file.stem)
def test_a_definition_that_speaks_of_claims_is_refused(
    kubernetes_server: KubernetesServer, file: Path
) -> None:
    spoilt = copy.deepcopy(definition(file))
    spoilt["spec"]["claimNames"] = {"kind": "Claim", "plural": "claims"}
    with pytest.raises(ObjectRefused, match="laim"):
        kubernetes_server.apply(spoilt, dry_run=True)
