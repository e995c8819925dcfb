"""A small domain that uses every feature of the kit's HTTP side, for the kit's own tests."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import Field
from tidegate_kit.auth.permissions import ANY_USER, PUBLIC
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
from tidegate_kit.ids import new_id


class Note(RequestModel):
    """A typed request body."""

    text: Annotated[Text, Field(min_length=1, max_length=100_000)]
    count: int = 0
    ratio: float = 0
    done: bool = False
    tags: list[Text] = Field(default_factory=list)


class NoteAnswer(ApiModel):
    """What was understood."""

    id: str
    text: str
    count: int
    ratio: float
    done: bool
    tags: list[str]


class Free(RequestModel):
    """A body with one free value, like a workflow's definition."""

    value: Any


class FreeAnswer(ApiModel):
    """The value as understood."""

    value: Any


class Login(RequestModel):
    """A form's fields."""

    username: Text
    password: Annotated[str, Field(max_length=16)]
    scope: str = ""


class Raw(ApiModel):
    """What arrived."""

    size: int
    sha256: str


class Item(ApiModel):
    """A row."""

    id: str
    name: str
    size: int


class Items(PageFields):
    """A page of rows."""

    items: list[Item]


MARKER = "arn:aws:dynamodb:us-east-1:123456789012:table/secret-marker"


def rows(count: int) -> list[Item]:
    """Rows with ids that sort as they are numbered."""
    return [Item(id=f"row-{number:04d}", name=f"n{number}", size=number) for number in range(count)]


def example_router() -> Router:
    """A new router; its effects are listed in `router.effects`."""
    router = Router("example")
    effects: list[str] = []
    stored = rows(25)
    router.effects = effects  # type: ignore[attr-defined]
    router.stored = stored  # type: ignore[attr-defined]
    _bodies(router)
    _reads(router, stored)
    _effects(router, effects)
    return router


def _bodies(router: Router) -> None:
    @router.post("/notes", permission=PUBLIC, rate="NONE")
    def note(body: Note) -> NoteAnswer:
        return NoteAnswer(id=new_id(), **body.model_dump())

    @router.post("/free", permission=PUBLIC, rate="NONE")
    def free(body: Free) -> FreeAnswer:
        return FreeAnswer(value=body.value)

    @router.post("/small", permission=PUBLIC, rate="NONE", max_body=100)
    def small(body: Free) -> FreeAnswer:
        return FreeAnswer(value=body.value)

    @router.post("/form", permission=PUBLIC, rate="NONE", body="form")
    def form(body: Login) -> FreeAnswer:
        return FreeAnswer(value=[body.username, body.scope])

    @router.post("/raw", permission=PUBLIC, rate="NONE", body="raw")
    def raw(call: CurrentCall) -> Raw:
        return Raw(size=len(call.body), sha256=hashlib.sha256(call.body).hexdigest())


def _reads(router: Router, stored: list[Item]) -> None:
    @router.get("/things/{thing_id}", permission=PUBLIC, rate="NONE")
    def thing(thing_id: PathId) -> Item:
        return Item(id=thing_id, name="thing", size=1)

    @router.put("/things/{thing_id}", permission=PUBLIC, rate="NONE")
    def put_thing(thing_id: PathId, body: Note) -> Item:
        return Item(id=thing_id, name=body.text, size=body.count)

    @router.get("/things/latest", permission=PUBLIC, rate="NONE")
    def latest() -> Item:
        return Item(id="latest", name="thing", size=1)

    @router.get("/query", permission=PUBLIC, rate="NONE")
    def query(word: Annotated[str, Query(max_length=20)] = "", n: int = 0) -> FreeAnswer:
        return FreeAnswer(value=[word, n])

    @router.get("/items", permission=ANY_USER)
    def items(call: CurrentCall, params: Annotated[PageParams, Depends()], name: str = "") -> Items:
        paging = Paging(call, params, {"name": name})
        page, fields = paging.slice([row for row in stored if name in row.name])
        return Items(items=page, **fields)

    @router.get("/boom", permission=PUBLIC, rate="NONE")
    def boom() -> Item:
        raise RuntimeError(f"cannot read {MARKER}")

    @router.get("/public", permission=PUBLIC, rate="M")
    def public() -> Item:
        return Item(id="x", name="public", size=1)

    @router.get("/admin", permission="admin:read")
    def admin() -> Item:
        return Item(id="x", name="admin", size=1)


def _effects(router: Router, effects: list[str]) -> None:
    @router.post("/effects", permission="workflow:create", status=201, idempotent=True, rate="W")
    def effect(body: Note, call: CurrentCall) -> FreeAnswer:
        if body.text == "fail":
            raise RuntimeError("failed before the effect")
        effects.append(body.text)
        return FreeAnswer(value=[len(effects), call.effect_key])

    @router.post("/other-effects", permission="workflow:create", status=201, idempotent=True)
    def other(body: Note) -> FreeAnswer:
        effects.append(body.text)
        return FreeAnswer(value=len(effects))

    @router.post("/sign-in", permission=PUBLIC, rate="NONE")
    def signed_in(body: Login) -> FreeAnswer:
        return FreeAnswer(value="token")

    @router.post("/login", permission=PUBLIC, rate="A", secret=True)
    def login(body: Login) -> FreeAnswer:
        return FreeAnswer(value="token")
