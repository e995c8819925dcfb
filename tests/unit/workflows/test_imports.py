"""Imports of n8n files: what maps, what is reported, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tidegate.workflows.errors import ImportInvalid
from tidegate.workflows.service.imports.n8n import from_n8n
from tidegate.workflows.validation import validate_definition


def n8n(name: str, kind: str, **parameters: Any) -> dict[str, Any]:
    return {
        "name": name, "type": f"n8n-nodes-base.{kind}", "typeVersion": 1,
        "position": [100, 200], "parameters": parameters,
    }  # fmt: skip


def link(*targets: str) -> list[dict[str, Any]]:
    return [{"node": target, "type": "main", "index": 0} for target in targets]


FILE: dict[str, Any] = {
    "name": "Order follow-up",
    "nodes": [
        n8n("When called", "webhook"),
        n8n("Set fields", "set", assignments={"assignments": [
            {"name": "total", "value": "={{ $json.order.total }}"},
            {"name": "note", "value": "fixed"},
        ]}),
        n8n("Big?", "if", conditions={"combinator": "and", "conditions": [
            {"leftValue": "={{ $json.total }}", "rightValue": 100,
             "operator": {"type": "number", "operation": "gt"}},
        ]}),
        n8n("Tell", "httpRequest", method="POST", url="https://example.com/orders",
            jsonBody="={{ $('Set fields').item.json.total }}"),
        n8n("Nothing", "noOp"),
    ],
    "connections": {
        "When called": {"main": [link("Set fields")]},
        "Set fields": {"main": [link("Big?")]},
        "Big?": {"main": [link("Tell"), link("Nothing")]},
    },
}  # fmt: skip


def test_what_has_an_equivalent_becomes_a_valid_workflow() -> None:
    made = from_n8n(FILE)
    assert (made.name, made.report.mapped, made.report.unmapped) == ("Order follow-up", 5, [])
    report = validate_definition(made.definition)
    assert report.valid, report.errors
    nodes = {node["id"]: node for node in made.definition["nodes"]}
    assert nodes["Set_fields"]["data"]["output"] == {
        "total": "{{input.order.total}}", "note": "fixed",
    }  # fmt: skip
    assert nodes["Tell"]["data"]["body"] == "{{nodes.Set_fields.output.total}}"
    handles = {edge.get("sourceHandle") for edge in made.definition["edges"]}
    assert handles == {None, "true", "false"}
    assert nodes["Tell"]["position"] == {"x": 100, "y": 200}


def test_what_has_none_is_reported_and_kept() -> None:
    odd = {
        "nodes": [
            n8n("Go", "manualTrigger"),
            n8n("Code", "code", jsCode="return 7*7"),
            n8n("Calc", "set", assignments={"assignments": [
                {"name": "x", "value": "={{ $json.a + process.env.X }}"}]}),
        ],
        "connections": {"Go": {"main": [link("Code", "Calc")]}},
    }  # fmt: skip
    made = from_n8n(odd)
    assert made.report.mapped == 1
    assert [(row["node"], row["type"]) for row in made.report.unmapped] == [
        ("Code", "n8n-nodes-base.code"), ("Calc", "n8n-nodes-base.set"),
    ]  # fmt: skip
    report = validate_definition(made.definition)
    assert report.well_shaped
    assert {issue.code for issue in report.errors} == {"UNKNOWN_NODE_TYPE"}
    kept = made.definition["nodes"][1]["data"]["n8n_parameters"]
    assert kept == {"jsCode": "return 7*7"}


@pytest.mark.hazard("D18")
@pytest.mark.parametrize(
    "content",
    [
        {},
        {"nodes": 7},
        {"nodes": [7, {"name": 1}, {"name": "a"}, {"name": "a", "type": "t"}], "connections": []},
        {"nodes": [n8n("a", "noOp")], "connections": {"a": {"main": [link("ghost")] * 5000}}},
        {"nodes": [n8n(f"n{i}", "noOp") for i in range(201)], "connections": {}},
        {"nodes": [n8n("a", "noOp"), n8n("a", "noOp")], "connections": {"b": {"main": []}}},
    ],
)
def test_hostile_files_are_refused_with_their_places(content: dict[str, Any]) -> None:
    """D18 a hostile import file gives errors with places, at most a hundred, and no crash."""
    with pytest.raises(ImportInvalid) as refused:
        from_n8n(content)
    details = refused.value.details
    assert 0 < len(details) <= 100
    assert all(detail.field.startswith("content.") for detail in details)
