"""How the code is written (CONTRIBUTING.md rules 2, 5, 6, 7, 8; IMP-3, IMP-4, IMP-20)."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from tidegate_kit.http import Router

from tests.architecture.sources import Source, domains, kit, product

REPORTED_LINES, MAX_LINES = 40, 80
ROUTE_LINES = 25
MAX_FILE_LINES = 400
# The kit's HTTP layer is the only place that awaits: it is the ASGI side of plain `def` endpoints.
ASYNC_PLACE = "tidegate_kit.http"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_of(source: Source) -> Iterator[Function]:
    """Every function and method."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def coroutines(tree: ast.Module) -> list[ast.AsyncFunctionDef]:
    """Every `async def`."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]


def length(function: Function) -> int:
    """Lines of the body without its docstring."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    if not body:
        return 0
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_routes_hold_no_try() -> None:
    assert [
        source.at(node)
        for source in product()
        if source.place.split("/")[0] == "routes"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Try | ast.TryStar)
    ] == []


def test_route_functions_are_short() -> None:
    assert [
        f"{source.at(function)} {function.name}: {length(function)} lines"
        for source in product()
        if source.place.split("/")[0] == "routes"
        for function in functions_of(source)
        if length(function) > ROUTE_LINES
    ] == []


@pytest.mark.hazard("H28")
def test_nothing_outside_the_http_layer_is_async() -> None:
    """H28: no `async def` handler exists that could hold a blocking call (IMP-4)."""
    sources = [s for s in (*product(), *kit()) if not s.module.startswith(ASYNC_PLACE)]
    assert [source.at(node) for source in sources for node in coroutines(source.tree)] == []
    assert len(coroutines(ast.parse("async def route(): open('x').read()"))) == 1


@pytest.mark.hazard("H28")
@pytest.mark.bite("tidegate_kit.http.routing.inspect.iscoroutinefunction", returns=False)
def test_an_async_endpoint_is_refused_when_declared() -> None:
    """H28: a route with an `async def` endpoint stops the import of its router."""
    router = Router("example")

    async def slow() -> None:
        """A blocking call in here would stop every other request."""

    with pytest.raises(TypeError, match="plain def"):
        router.get("/slow", permission="PUBLIC")(slow)


def test_the_environment_is_read_in_one_module() -> None:
    wrong = []
    for source in (*product(), *kit()):
        if source.module == "tidegate_kit.settings":
            continue
        for node in ast.walk(source.tree):
            read = isinstance(node, ast.Attribute) and node.attr in (
                "environ",
                "getenv",
                "environb",
            )
            imported = (
                isinstance(node, ast.ImportFrom)
                and node.module == "os"
                and any(alias.name in ("environ", "getenv", "environb") for alias in node.names)
            )
            if read or imported:
                wrong.append(source.at(node))
    assert wrong == []


def test_stored_attributes_have_no_fallback() -> None:
    """IMP-3: getattr with a default hides that stored and expected schema differ."""
    wrong = []
    for source in product():
        if source.place.split("/")[0] not in ("repository", "models"):
            continue
        for node in ast.walk(source.tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and (
                    node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) > 2)
                )
            ):
                wrong.append(source.at(node))
    assert wrong == []


def test_time_ids_and_randomness_are_injected() -> None:
    """Rule 8: nothing calls a clock or a random source by itself, except where they are defined."""
    named = {
        ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
        ("time", "time"), ("uuid", "uuid4"), ("uuid", "uuid1"), ("random", "random"),
        ("random", "choice"), ("random", "randint"),
    }  # fmt: skip
    wrong = []
    for source in product():
        for node in ast.walk(source.tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and (node.func.value.id, node.func.attr) in named
            ):
                wrong.append(source.at(node))
    assert wrong == []


def _statements(source: Source) -> list[ast.stmt]:
    """Top-level statements without docstrings and comments."""
    return [
        node
        for node in source.tree.body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]


def _handlers() -> list[Source]:
    return [source for source in product() if source.place == "handler"]


def test_handlers_only_import_and_make_one_call() -> None:
    wrong = []
    for source in _handlers():
        *imports, last = _statements(source)
        plain = all(isinstance(node, ast.Import | ast.ImportFrom) for node in imports)
        made = isinstance(last, ast.Assign) and ast.unparse(last).startswith(
            "handler = lambda_app(router"
        )
        if not plain or not made or len(imports) > 3:
            wrong.append(str(source.path))
    assert wrong == []
    assert _handlers()


# FastAPI is imported a lean way there, before anything below imports it (cold start).
ACTS_AT_IMPORT = frozenset({"tidegate_kit.http"})
ALLOWED_AT_IMPORT = (
    ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign,
    ast.AnnAssign, ast.If,
)  # fmt: skip


def test_modules_do_nothing_at_import_but_define() -> None:
    """Rule 7: no loop, no with, no bare call at module level; handler.py makes the one call."""
    wrong = []
    for source in (*product(), *kit()):
        if source.module in ACTS_AT_IMPORT:
            continue
        for node in _statements(source):
            guarded = isinstance(node, ast.If) and ast.unparse(node.test) not in (
                "__name__ == '__main__'",
                "TYPE_CHECKING",
            )
            if not isinstance(node, ALLOWED_AT_IMPORT) or guarded:
                wrong.append(source.at(node))
    assert wrong == []


def test_functions_are_not_long() -> None:
    """Prints what passes 40 lines; fails what passes 80."""
    long = sorted(
        (
            (length(function), f"{source.at(function)} {function.name}")
            for source in (*product(), *kit())
            for function in functions_of(source)
        ),
        reverse=True,
    )
    for lines, name in long:
        if lines > REPORTED_LINES:
            warnings.warn(f"{name}: {lines} lines", stacklevel=1)
    assert [name for lines, name in long if lines > MAX_LINES] == []


def test_files_are_not_long() -> None:
    def lines(path: Path) -> int:
        return len(path.read_text(encoding="utf-8").splitlines())

    assert [
        f"{source.path}: {lines(source.path)} lines"
        for source in (*product(), *kit())
        if lines(source.path) > MAX_FILE_LINES * 1.25
    ] == []


def test_modules_and_published_names_say_what_they_are() -> None:
    """Every module but handler.py has a docstring, and so has what a domain gives to others."""
    wrong = []
    for source in (*product(), *kit()):
        if source.place != "handler" and _statements(source) and not ast.get_docstring(source.tree):
            wrong.append(f"{source.path}: module")
        for node in source.tree.body if source.place == "public" else ():
            named = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if named and not node.name.startswith("_") and not ast.get_docstring(node):
                wrong.append(f"{source.at(node)} {node.name}")
    assert wrong == []


def test_a_domain_with_routes_has_a_handler_and_the_reverse() -> None:
    for domain in domains():
        places = {s.place.split("/")[0] for s in product() if s.domain == domain}
        assert ("handler" in places) == ("routes" in places), domain
