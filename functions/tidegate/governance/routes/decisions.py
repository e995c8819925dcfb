"""Recorded decisions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from tidegate_kit.http import CurrentCall, PageParams, Paging

from tidegate.governance import answers, wiring
from tidegate.governance.routes.router import router
from tidegate.governance.schemas import DecisionList


@router.get("/governance/decisions", permission="audit:read", response_model=DecisionList)
def list_decisions(call: CurrentCall, params: Annotated[PageParams, Depends()]) -> Any:
    """What policies decided, newest first, with the inputs and the policies' versions."""
    paging = Paging(call, params, {})
    rows, total, next_key = wiring.decisions_of(call.principal.tenant).page(
        paging.skip, paging.page_size, paging.start
    )
    listed = [answers.decision(row) for row in rows]
    return DecisionList(decisions=listed, **paging.fields(total, next_key))
