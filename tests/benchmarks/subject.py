"""A domain of ordinary size: ten routes, a table, the kit's whole pipeline."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from pydantic import Field
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from tidegate_kit.auth.permissions import ANY_USER
from tidegate_kit.dynamo import Table
from tidegate_kit.http import (
    ApiModel,
    CurrentCall,
    PageFields,
    PageParams,
    Paging,
    PathId,
    RequestModel,
    Router,
    Text,
)


class RowItem(Table):
    """A stored row."""

    class Meta:
        table_name = "findings"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    id = UnicodeAttribute()
    name = UnicodeAttribute()
    size = NumberAttribute()


class Row(ApiModel):
    """A row of an answer."""

    id: str
    name: str
    size: int
    region: str = "eu-central-1"
    reason: str = "nobody has used it for 30 days"


class Rows(PageFields):
    """A page of rows."""

    rows: list[Row]


class Node(RequestModel):
    """A node of a workflow."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    type: Text
    data: dict[str, Any]


class Edge(RequestModel):
    """An edge of a workflow."""

    id: Text
    source: Text
    target: Text


class Definition(RequestModel):
    """A workflow."""

    name: Text
    nodes: list[Node] = Field(max_length=200)
    edges: list[Edge] = Field(max_length=500)


class Saved(ApiModel):
    """The answer to a saved workflow."""

    id: str
    nodes: int


def definition(nodes: int) -> dict[str, Any]:
    """A chain of nodes as a client sends it."""
    return {
        "name": "Clean-up",
        "nodes": [
            {"id": f"n{n}", "type": "http_request",
             "data": {"label": f"Step {n}", "url": "https://example.com/hook", "retries": 3}}
            for n in range(nodes)
        ],
        "edges": [
            {"id": f"e{n}", "source": f"n{n}", "target": f"n{n + 1}"} for n in range(nodes - 1)
        ],
    }  # fmt: skip


def answer_rows(count: int) -> list[Row]:
    """Rows of an answer."""
    return [Row(id=f"row-{n}", name=f"volume {n}", size=n) for n in range(count)]


router = Router("benchmark")


@router.get("/rows", permission=ANY_USER)
def rows(call: CurrentCall, params: Annotated[PageParams, Depends()]) -> Rows:
    """A page."""
    page, fields = Paging(call, params, {}).slice(answer_rows(20))
    return Rows(rows=page, **fields)


@router.get("/big", permission=ANY_USER)
def big(call: CurrentCall) -> Rows:
    """A list of 100 KB."""
    return Rows(rows=answer_rows(BIG), total=BIG, page=1, page_size=100, total_pages=1)


@router.get("/rows/{row_id}", permission=ANY_USER)
def one(row_id: PathId, call: CurrentCall) -> Row:
    """One row."""
    return Row(id=row_id, name="volume", size=1)


@router.post("/workflows", permission="workflow:create", status=201)
def save(body: Definition, call: CurrentCall) -> Saved:
    """Save a workflow."""
    return Saved(id="x", nodes=len(body.nodes))


BIG = 900


def _more() -> None:
    for number in range(6):

        @router.get(f"/more-{number}/{{row_id}}", permission=ANY_USER)
        def more(row_id: PathId, call: CurrentCall) -> Row:
            """One of six routes more."""
            return Row(id=row_id, name="more", size=1)


_more()
