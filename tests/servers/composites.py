"""The kinds that people ask Crossplane for, as the API server serves them.

Crossplane makes a custom resource out of each definition. What is made here has the same names,
versions and schemas, the conditions, and those fields of Crossplane's own machinery
(`spec.crossplane`) that say how a composite is composed.
"""

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "crossplane" / "definitions"

Object = dict[str, Any]

_TEXT = {"type": "string"}
_CONDITIONS: Object = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
    "items": {
        "type": "object",
        "required": ["lastTransitionTime", "reason", "status", "type"],
        "properties": {
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "message": _TEXT,
            "observedGeneration": {"type": "integer", "format": "int64"},
            "reason": _TEXT,
            "status": _TEXT,
            "type": _TEXT,
        },
    },
}
_NAMED: Object = {"type": "object", "required": ["name"], "properties": {"name": _TEXT}}
_LABELLED: Object = {
    "type": "object",
    "required": ["matchLabels"],
    "properties": {"matchLabels": {"type": "object", "additionalProperties": _TEXT}},
}
_MACHINERY: Object = {
    "type": "object",
    "properties": {
        "compositionRef": _NAMED,
        "compositionSelector": _LABELLED,
        "compositionRevisionRef": _NAMED,
        "compositionRevisionSelector": _LABELLED,
        "compositionUpdatePolicy": {"type": "string", "enum": ["Automatic", "Manual"]},
    },
}


def definitions() -> list[Object]:
    """Return the definitions, each time anew, so that a test may spoil them."""
    return [yaml.safe_load(file.read_text()) for file in sorted(FOLDER.glob("[!k]*.yaml"))]


def write_crds(folder: Path) -> Path:
    """Write the custom resource definitions of our kinds into a file, and return it."""
    file = folder / "our-kinds.yaml"
    file.write_text(yaml.safe_dump_all(_crd(one) for one in definitions()))
    return file


def _crd(definition: Object) -> Object:
    spec = definition["spec"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition["metadata"]["name"]},
        "spec": {
            "group": spec["group"],
            "names": {**spec["names"], "categories": ["composite"]},
            "scope": spec["scope"],
            "versions": [_version(one) for one in spec["versions"]],
        },
    }


def _version(version: Object) -> Object:
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["crossplane"] = _MACHINERY
    schema["properties"]["status"]["properties"]["conditions"] = _CONDITIONS
    return {
        "name": version["name"],
        "served": version["served"],
        "storage": version["referenceable"],
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
