"""The OpenAPI document says what the route table says, and its examples are valid (GEN-2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate
from tidegate import routers
from tidegate.manifest import openapi
from tidegate.manifest.example import example_of

from tests.architecture.sources import ROOT


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document made from the table now."""
    return openapi.document(routers.ROUTERS)


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """A validator of a schema that refers to the document's components."""
    return Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=FormatChecker()
    )


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`METHOD /path` -> operation."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A response or example, its reference followed."""
    if "$ref" not in part:
        return part
    found: Any = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def test_the_files_are_what_the_table_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for path, text in routers.openapi_files().items():
        same = path.read_text(encoding="utf-8") == text
        assert same, f"{path} drifted: run make openapi"


def test_a_drift_is_told_and_mended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {Path("docs/openapi.json"): "{1}", Path("functions/openapi.json"): "{2}"}
    monkeypatch.setattr(routers, "openapi_files", lambda: files)
    for path in files:
        path.parent.mkdir(parents=True)
        path.write_text("{}", encoding="utf-8")
    assert routers.main(["openapi", "--check"]) == 1
    assert "run make openapi" in capsys.readouterr().err
    assert routers.main(["openapi"]) == 0
    assert routers.main(["openapi", "--check"]) == 0


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert {server["url"] for server in document["servers"]} == {"{base}/api", "{base}"}


def test_it_holds_exactly_the_declared_routes(document: dict[str, Any]) -> None:
    specs = {spec.name: spec for spec in routers.all_specs()}
    found = operations(document)
    assert found.keys() == specs.keys()
    identifiers = [operation["operationId"] for operation in found.values()]
    assert len(set(identifiers)) == len(identifiers)
    for name, operation in found.items():
        spec = specs[name]
        assert operation["security"] == ([] if spec.public else [{"bearer": []}, {"cookie": []}])
        assert operation["x-tidegate-permission"] == spec.permission
        assert operation["description"], f"{name} has no docstring"


def test_every_error_is_told_with_an_example_in_the_envelope(document: dict[str, Any]) -> None:
    envelope = validator(document, document["components"]["schemas"]["Error"])
    for spec in routers.all_specs():
        operation = operations(document)[spec.name]
        told: dict[int, set[str]] = {}
        for status, answer in operation["responses"].items():
            answer = resolved(document, answer)
            if "x-tidegate-codes" not in answer:
                continue
            told[int(status)] = set(answer["x-tidegate-codes"])
            examples = answer["content"]["application/json"]["examples"]
            assert set(examples) == told[int(status)]
            for code, example in examples.items():
                value = resolved(document, example)["value"]
                envelope.validate(value)
                assert value["error"]["code"] == code
        for kind in spec.errors:
            assert kind.code in told[kind.status], f"{spec.name}: {kind.code}"
        implied = {429, 500} | (set() if spec.public else {401, 503})
        assert implied <= told.keys(), spec.name
        if "{" in spec.path:
            assert 404 in told, spec.name


def test_every_example_is_valid(document: dict[str, Any]) -> None:
    wrong = []
    for name, operation in operations(document).items():
        parts = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for place, part in parts.items():
            for media in part.get("content", {}).values():
                if "example" in media:
                    checks = validator(document, media["schema"])
                    problems = list(checks.iter_errors(media["example"]))
                    wrong += [f"{name} {place}: {problem.message}" for problem in problems]
    assert wrong == []


def test_every_schema_has_a_valid_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        problems = list(validator(document, schema).iter_errors(example_of(schema, schemas)))
        assert problems == [], f"{name}: {problems[0].message}"


def test_recursive_schemas_end() -> None:
    tree = {
        "type": "object",
        "required": ["next"],
        "properties": {
            "next": {"anyOf": [{"$ref": "#/components/schemas/Tree"}, {"type": "null"}]}
        },
    }
    assert "next" in example_of(tree, {"Tree": tree})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "maximum": 0}, 0),
        ({"type": "number", "exclusiveMinimum": 1}, 2),
        ({"type": "string", "pattern": r"^\d{12}$"}, "111122223333"),
        ({"type": "string", "minLength": 12}, "exampleexamp"),
        ({"type": "string", "maxLength": 3}, "exa"),
        ({"type": "string", "enum": ["a", "b"]}, "a"),
        ({"const": 3}, 3),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
    ],
)
def test_examples_keep_the_schemas_limits(schema: dict[str, Any], value: Any) -> None:
    assert example_of(schema, {}) == value
