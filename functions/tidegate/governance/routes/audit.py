"""The audit log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from tidegate_kit.http import CurrentCall, PageParams, Paging
from tidegate_kit.http.schema import Instant

from tidegate.governance import answers, wiring
from tidegate.governance.repository.audit import AuditFilters
from tidegate.governance.routes.router import router
from tidegate.governance.schemas import AuditList

Filter = Annotated[str | None, Query(min_length=1, max_length=254)]


@router.get("/governance/audit", permission="audit:read", response_model=AuditList)
def list_audit(
    call: CurrentCall,
    params: Annotated[PageParams, Depends()],
    from_: Annotated[Instant | None, Query(alias="from")] = None,
    to: Instant | None = None,
    actor: Filter = None,
    action: Filter = None,
    verify: bool = False,
) -> Any:
    """The tenant's audit log, newest first; `actor` is an id or an e-mail address.

    With verify=true the whole log is checked and the first bad entry named.
    """
    filters = AuditFilters(from_, to, actor, action)
    paging = Paging(call, params, vars(filters))
    log = wiring.audit_of(call.principal.tenant)
    rows, total, next_key = log.page(filters, paging.skip, paging.page_size, paging.start)
    return AuditList(
        entries=[answers.audit_entry(row) for row in rows],
        verification=answers.verification(log.verification()) if verify else None,
        **paging.fields(total, next_key),
    )
