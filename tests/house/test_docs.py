"""What the documents name is there: commands, files, settings."""

import re
from pathlib import Path

import yaml

from hub.cli.app import app
from hub.configuration import load

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for folder in ("", "argocd", "crossplane", "docs", "external-secrets", "k8s", "tekton")
    for page in (ROOT / folder).glob("**/*.md" if folder else "*.md")
)
COMMAND = re.compile(r"(?<!-n )\btrunkline ([a-z][a-z-]+)\b")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def commands():
    return {one.name or one.callback.__name__ for one in app.registered_commands}


def test_every_command_that_is_written_down_exists():
    written = {
        name
        for page in PAGES
        for code in re.findall(r"`([^`]+)`|^\$ (.+)$", page.read_text("utf-8"), re.MULTILINE)
        for name in COMMAND.findall("".join(code))
    }
    assert written <= commands()
    assert written >= {"serve", "demo", "explain"}


def test_every_command_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in commands() if not re.search(rf"\b{name}\b", readme)] == []


def test_every_link_to_a_file_leads_somewhere():
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert dead == []


def test_every_line_of_the_log_that_operators_are_told_of_is_written_somewhere():
    page = (ROOT / "docs/operating.md").read_text("utf-8")
    table = page.partition("| line in the log |")[2]
    lines = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", table))
    code = "".join(file.read_text("utf-8") for file in ROOT.glob("hub/**/*.py"))
    assert len(lines) > 10
    assert {line for line in lines if f'"{line}"' not in code} == set()


def test_the_settings_in_the_readme_are_good(tmp_path):
    blocks = re.findall(r"```yaml\n(.+?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        file = tmp_path / "trunkline.yaml"
        file.write_text(block)
        assert load(file, {}).model_dump(exclude_unset=True).keys() >= yaml.safe_load(block).keys()
