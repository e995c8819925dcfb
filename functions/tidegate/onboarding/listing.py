"""Pages of the tenant's registrations; a tenant has at most some hundred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate_kit.http import Call, PageParams, Paging

from tidegate.onboarding.domain import Registration


def page_of(
    rows: Sequence[Registration], call: Call, params: PageParams
) -> tuple[list[Registration], dict[str, Any]]:
    """The rows of one page and its page fields; `rows` are newest first.

    A cursor names the last row seen, so what comes or goes before it shifts nothing (B17).
    """
    paging = Paging(call, params, {})
    start = paging.start
    if start is None:
        behind = list(rows)[paging.skip :]
    else:
        last = (start["at"], start["id"])
        behind = [row for row in rows if _place(row) < last]
    shown = behind[: paging.page_size]
    more = len(behind) > len(shown)
    next_key = {"at": _place(shown[-1])[0], "id": shown[-1].id} if more else None
    return shown, paging.fields(len(rows), next_key)


def _place(row: Registration) -> tuple[str, str]:
    return row.created_at.isoformat(timespec="microseconds"), row.id
