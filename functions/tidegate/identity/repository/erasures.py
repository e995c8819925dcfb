"""What is still to be erased: written with the removal, deleted when nothing is left (ADM-1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tidegate_kit.auth.models import TenantItem
from tidegate_kit.dynamo import ConditionFailed, Transaction, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.identity.models import ErasureItem

_PK = "ERASURES"


@dataclass(frozen=True)
class Erasure:
    """A tenant, or one user of it, whose data goes."""

    tenant_id: str
    user_id: str | None
    requested_by: str
    requested_at: datetime


def erasure(tenant_id: str, user_id: str | None, by: str, now: datetime) -> ErasureItem:
    """The row of an erasure, for the transaction that removes."""
    return ErasureItem(
        _PK, _sk(tenant_id, user_id), tenant_id=tenant_id, user_id=user_id, requested_by=by,
        created_at=now, updated_at=now,
    )  # fmt: skip


def _sk(tenant_id: str, user_id: str | None) -> str:
    return key("TENANT", tenant_id) if user_id is None else key("USER", tenant_id, user_id)


class GlobalErasures:
    """Erasures that are not finished."""

    def all(self) -> Iterator[Erasure]:
        """Each of them."""
        with store_errors():
            for row in ErasureItem.query(_PK, consistent_read=True):
                yield Erasure(row.tenant_id, row.user_id, row.requested_by, row.created_at)

    def begin(self, tenant_id: str, by: str, now: datetime) -> None:
        """Switch a tenant off and ask for its erasure, in one step. Raises NotFound.

        Asked again while it is going on it changes nothing.
        """
        writes = Transaction()
        writes.update(
            TenantItem(TenantScope(tenant_id).pk, "TENANT"),
            [TenantItem.is_active.set(False), TenantItem.updated_at.set(now)],
            TenantItem.pk.exists(),
            name="tenant",
        )
        writes.save(erasure(tenant_id, None, by, now))
        try:
            writes.commit()
        except ConditionFailed:
            if not any(one.tenant_id == tenant_id and one.user_id is None for one in self.all()):
                raise NotFound from None

    def finish(self, done: Erasure) -> None:
        """Nothing is left of it."""
        with store_errors():
            ErasureItem(_PK, _sk(done.tenant_id, done.user_id)).delete()
