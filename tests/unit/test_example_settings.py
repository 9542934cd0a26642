"""The example settings: complete, true, and good to start from."""

from pathlib import Path

import pytest

from hub.configuration import load
from hub.configuration.shape import anchored, dotted, leaves, written_secrets
from hub.configuration.yaml_document import read_yaml
from hub.secrets import SecretPlace, too_short
from hub.settings import Secret, Settings

EXAMPLE = Path(__file__).resolve().parents[2] / "trunkline.example.yaml"
SECRET = "good enough for an example"


@pytest.fixture
def content():
    return read_yaml(EXAMPLE.read_text()).content


SETTINGS = {
    leaf.place[:-1] if leaf.place[-1] in Secret.model_fields else leaf.place
    for leaf in leaves(Settings)
}
"""Where each setting stands; a secret's place counts as one."""


def at(content, place):
    """Return what stands at a place; None where something around it was left out."""
    for part in place:
        if content is None:
            return None
        content = content[part]
    return content


def shown(content):
    return {dotted(place): at(content, place) for place in SETTINGS}


def test_every_setting_stands_in_the_example(content):
    assert {name for name, value in shown(content).items() if value is None} == set()


def test_every_part_of_a_key_stands_in_the_example(content):
    (key,) = content["receiver"]["github"]["keys"]
    assert key.keys() == {"id", "secret", "not_before", "not_after"}


def test_what_has_a_default_is_shown_with_it(content):
    needed = {
        "kubernetes": {"url": "https://x"},
        "gitops": {"url": "https://x"},
        "github": {},
        "slack": {"token": {"file": "x"}},
        "pagerduty": {"routing_key": {"file": "x"}},
    }
    defaults = shown(Settings.model_validate(needed).model_dump(mode="json"))
    said = shown(Settings.model_validate(content).model_dump(mode="json"))
    others = {name for name, value in said.items() if defaults[name] and value != defaults[name]}
    assert others == {
        "kubernetes.url",
        "gitops.url",
        "slack.token",
        "pagerduty.routing_key",
    }


def test_the_example_loads_clean_where_its_secrets_are(content, tmp_path):
    file = tmp_path / "trunkline.yaml"
    file.write_text(EXAMPLE.read_text())
    environment = {}
    for written in written_secrets(Settings, content):
        secret = anchored(Secret.model_validate(written.content), tmp_path)
        if secret.variable:
            environment[secret.variable] = SECRET
        elif secret.file.is_relative_to(tmp_path):
            secret.file.parent.mkdir(exist_ok=True)
            secret.file.write_text(SECRET)
    settings = load(file, environment)
    assert settings.receiver.github.keys[0].secret.file == tmp_path / "secrets/github-webhook"
    for written in written_secrets(Settings, content):
        secret = anchored(Secret.model_validate(written.content), tmp_path)
        if secret.variable or secret.file.is_relative_to(tmp_path):
            place = SecretPlace(secret, name="x", misfit=too_short, environment=environment)
            assert place.read(0.0).expose() == SECRET
