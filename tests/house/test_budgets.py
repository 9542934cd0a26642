"""Nothing grows beyond what one reads in one go."""

import ast
import re
import statistics

FILE_LINES = 400
TEST_FILE_LINES = 500
"""Tests of one subject stay together with what they are told on."""
FUNCTION_LINES = 60


def functions_of(source):
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.end_lineno - node.lineno + 1


def too_long(sources, most):
    lengths = {str(one): one.text.count("\n") for one in sources}
    return {name: lines for name, lines in lengths.items() if lines > most}


def test_no_file_is_too_long(product, tests):
    assert too_long(product, FILE_LINES) == {}
    assert too_long(tests, TEST_FILE_LINES) == {}


def test_no_function_is_too_long(product, tests):
    long = {
        f"{source}: {name}": lines
        for source in [*product, *tests]
        for name, lines in functions_of(source)
        if lines > FUNCTION_LINES
    }
    assert long == {}


def test_files_are_short_as_a_rule(product):
    lines = [one.text.count("\n") for one in product]
    assert statistics.median(lines) <= 150
    assert statistics.quantiles(lines, n=10)[-1] <= 300


def test_functions_are_short_as_a_rule(product):
    lines = [lines for source in product for _, lines in functions_of(source)]
    assert statistics.median(lines) <= 10
    assert statistics.quantiles(lines, n=10)[-1] <= 30


def test_nothing_is_exempt_from_the_limit_on_complexity(product, tests):
    exempt = [str(one) for one in [*product, *tests] if re.search(r"noqa: [^#]*\bC901", one.text)]
    assert exempt == []
