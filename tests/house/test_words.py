"""Names that say what a thing is, and files that name no machine and no host of packages."""

import ast
import re

EMPTY_WORDS = {
    "base",
    "common",
    "helper",
    "helpers",
    "manager",
    "misc",
    "processor",
    "util",
    "utils",
}


def words(name):
    """Split a name into its words: `HTTPServer_two` is http, server, two."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_no_module_is_named_after_nothing(product, tests):
    assert [str(one) for one in [*product, *tests] if EMPTY_WORDS & words(one.path.stem)] == []


def test_no_class_is_named_after_nothing(product):
    named = [
        f"{source}: {node.name}"
        for source in product
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and EMPTY_WORDS & words(node.name)
    ]
    assert named == []


def test_locks_name_no_host_and_pin_every_package_by_hash(root):
    for lock in ("requirements.lock", "requirements-dev.lock", "tests/servers/postgres.lock"):
        text = (root / lock).read_text()
        assert "://" not in text
        assert "index-url" not in text
        packages = re.findall(
            r"^[a-z0-9][\w.-]*==.*\n(?:    --hash=sha256:[0-9a-f]{64})", text, re.MULTILINE
        )
        assert len(packages) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 0


def test_the_two_locks_agree(root):
    both = [
        dict(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", (root / lock).read_text(), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-dev.lock")
    ]
    product, work = both
    assert product.items() <= work.items()
