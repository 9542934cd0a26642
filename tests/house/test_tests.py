"""How tests are written: against what comes out, and without waiting for time to pass."""

import ast

MOCKS = {"mock", "unittest.mock", "pytest_mock", "flexmock"}


def imported(source):
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names))


def is_deadline(node):
    return isinstance(node, ast.AsyncWith) and any(
        ast.unparse(item.context_expr).startswith("asyncio.timeout(") for item in node.items
    )


def is_sleep(node):
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sleep"


def waits(node):
    """Yield the lines that sleep for longer than one turn of the loop, but for bounded polling."""
    if is_sleep(node) and [ast.unparse(argument) for argument in node.args] != ["0"]:
        yield node.lineno
    if not is_deadline(node):
        for child in ast.iter_child_nodes(node):
            yield from waits(child)


def test_nothing_is_mocked(tests):
    assert [str(one) for one in tests if MOCKS & set(imported(one))] == []


def test_no_test_sleeps_but_to_poll_with_a_deadline(tests):
    assert [f"{source}:{line}" for source in tests for line in waits(source.tree)] == []


def test_module_names_of_tests_are_unique(tests):
    names = [one.path.name for one in tests if one.path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))
