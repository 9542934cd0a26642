"""Has the real composition function compose what a team asks for."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from servers.composites import definitions
from servers.function import Function

FOLDER = Path(__file__).parents[2] / "crossplane"
COMPOSITIONS = FOLDER / "compositions"
Object = dict[str, Any]


@cache
def _read(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def platform() -> Object:
    """Return the example of what the platform says of its AWS account."""
    config: Object = _read(FOLDER / "examples" / "environment.yaml")
    return config


def environment() -> Object:
    """Return what it says."""
    data: Object = platform()["data"]
    return data


def composition(kind: str) -> Object:
    (found,) = [
        one
        for file in COMPOSITIONS.glob("[!k]*.yaml")
        for one in [_read(file)]
        if one["spec"]["compositeTypeRef"]["kind"] == kind
    ]
    composed: Object = found
    return composed


def asked(kind: str, spec: Object, *, namespace: str = "dev", name: str = "orders") -> Object:
    """Return what a team asks for, as the API server has it."""
    return {
        "apiVersion": "platform.company.com/v1alpha1",
        "kind": kind,
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": "5f7f2c9c-6a3f-4a86-9f0e-2d9f6a3b1c4d",
        },
        "spec": spec,
    }


def compose(function: Function, wanted: Object, **more: Any) -> dict[str, Object]:
    """Return the composed resources by their names in the composition; fails where it does."""
    answer = answered(function, wanted, **more)
    assert fatal(answer) == []
    found = answer["desired"].get("resources", {})
    return {name: one["resource"] for name, one in found.items()}


def fatal(answer: Object) -> list[str]:
    """Return why nothing is composed."""
    results = answer.get("results", [])
    return [one["message"] for one in results if one["severity"] == "SEVERITY_FATAL"]


def answered(
    function: Function,
    wanted: Object,
    *,
    observed: dict[str, Object] | None = None,
    surroundings: Object | None = None,
    there: Sequence[Object] | None = None,
) -> Object:
    """Run the pipeline for what is wanted, in a cluster where `there` can be required.

    That is what the platform says of its account, as the example does or in other `surroundings`.
    """
    (step,) = composition(wanted["kind"])["spec"]["pipeline"]
    described = platform() if surroundings is None else {**platform(), "data": surroundings}
    return function.run(
        {
            "meta": {"tag": "test"},
            "input": step["input"],
            "observed": {
                "composite": {"resource": wanted},
                "resources": {name: {"resource": one} for name, one in (observed or {}).items()},
            },
            "required_resources": _required(step, [described] if there is None else there),
        }
    )


def _required(step: Object, there: Sequence[Object]) -> Object:
    return {
        one["requirementName"]: {
            "items": [{"resource": found} for found in there if _identity(found) == _wish(one)]
        }
        for one in step["requirements"]["requiredResources"]
    }


def _identity(found: Object) -> Object:
    return {
        **{key: found[key] for key in ("apiVersion", "kind")},
        "name": found["metadata"]["name"],
    }


def _wish(selector: Object) -> Object:
    return {key: value for key, value in selector.items() if key != "requirementName"}


def specs(kind: str) -> st.SearchStrategy[Object]:
    """Draw any spec that the definition of a kind accepts, its defaults filled in."""
    (definition,) = [one for one in definitions() if one["spec"]["names"]["kind"] == kind]
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return _drawn(schema["properties"]["spec"])


def _drawn(schema: Object) -> st.SearchStrategy[Any]:
    match schema:
        case {"enum": values}:
            return st.sampled_from(values)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer", "minimum": low, "maximum": high}:
            return st.integers(low, high)
        case {"type": "string", "pattern": pattern, "maxLength": longest}:
            return st.from_regex(pattern.replace("$", r"\Z")).filter(lambda it: len(it) <= longest)
        case {"type": "object", "properties": properties}:
            return st.fixed_dictionaries({name: _drawn(one) for name, one in properties.items()})
    raise AssertionError(schema)
