"""What a newcomer writes on FastAPI, Mangum, PynamoDB, PyJWT and Powertools, as shipped."""

from __future__ import annotations

import os
from typing import Annotated, Any

import jwt
from aws_lambda_powertools import Logger, Metrics
from fastapi import Depends, FastAPI, Header, HTTPException
from mangum import Mangum
from pydantic import BaseModel
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

logger = Logger(service="newcomer")
metrics = Metrics(namespace="Newcomer", service="newcomer")
app = FastAPI()


class RowItem(Model):
    """A stored row."""

    class Meta:
        table_name = "rows"
        region = "us-east-1"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    name = UnicodeAttribute(null=True)
    size = NumberAttribute(null=True)


class Row(BaseModel):
    """A row of an answer."""

    id: str
    name: str
    size: int


class Rows(BaseModel):
    """A list."""

    rows: list[Row]


def current_user(authorization: Annotated[str, Header()]) -> dict[str, Any]:
    """The verified claims."""
    try:
        return jwt.decode(
            authorization.removeprefix("Bearer "), os.environ["BENCH_PUBLIC_KEY"],
            algorithms=["ES256"], audience="tidegate-api",
        )  # fmt: skip
    except jwt.PyJWTError as error:
        raise HTTPException(401) from error


def routes() -> None:
    """Ten routes."""

    @app.get("/rows")
    def rows(user: Annotated[dict[str, Any], Depends(current_user)]) -> Rows:
        if "BENCH_STORE" in os.environ:
            RowItem.get("T#1", "ROW#1")
        logger.info("listed", extra={"user": user["sub"]})
        return Rows(rows=[Row(id=f"row-{n}", name=f"volume {n}", size=n) for n in range(10)])

    for number in range(9):

        @app.get(f"/more-{number}/{{row_id}}")
        def more(row_id: str, user: Annotated[dict[str, Any], Depends(current_user)]) -> Row:
            return Row(id=row_id, name="more", size=1)


routes()
handler = Mangum(app)
