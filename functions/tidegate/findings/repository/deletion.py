"""What is deleted: findings resolved long ago, accounts that were disconnected, tenants."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tidegate_kit.dynamo import (
    ConditionFailed,
    Transaction,
    batch_delete,
    store_errors,
)
from tidegate_kit.tenancy import key

from tidegate.findings.domain import Finding
from tidegate.findings.errors import ChangedMeanwhile
from tidegate.findings.models import CountItem, FindingItem, PointerItem, StatesItem
from tidegate.findings.repository import records
from tidegate.findings.repository.findings import Delta, FindingRows, pointer_sk
from tidegate.findings.repository.overlaps import OverlapItem

_Row = PointerItem | CountItem | StatesItem | OverlapItem


class FindingDeletion(FindingRows):
    """Deletions of findings."""

    def old_resolved(
        self, account_id: str, generation: int, before: datetime, limit: int
    ) -> list[Finding]:
        start = key("GONE", account_id, str(generation))
        with store_errors():
            pointers = list(
                PointerItem.query(
                    self._scope.pk,
                    PointerItem.sk.between(f"{start}#", f"{start}#{records.moment_key(before)}"),
                    consistent_read=True,
                    limit=min(limit, 100),
                )
            )
        found = self.stored([pointer.id for pointer in pointers])
        return [finding for finding in found.values() if not finding.active]

    def forget(self, findings: Sequence[Finding], now: datetime) -> None:
        for finding in findings:
            transaction = Transaction()
            transaction.delete(
                FindingItem(self._scope.pk, key("FINDING", finding.id)),
                FindingItem.version == finding.version,
            )
            transaction.delete(PointerItem(self._scope.pk, pointer_sk(finding)))
            delta = Delta()
            delta.weigh(finding, -1)
            transaction.update(
                CountItem(self._scope.pk, records.count_sk(finding)), delta.actions(now)
            )
            try:
                transaction.commit()
            except ConditionFailed as lost:
                raise ChangedMeanwhile from lost

    def delete_some(self, account_id: str, present: int, limit: int) -> int:
        for prefix in ("ACTIVE", "GONE"):
            pointers = self._old(PointerItem, prefix, account_id, present, limit)
            if pointers:
                return self._delete_findings(pointers, present)
        rows = [
            *self._old(CountItem, "COUNT", account_id, present, limit),
            *self._old(StatesItem, "STATES", account_id, present, limit),
            *self._old(OverlapItem, "OVERLAP", account_id, present, limit),
        ][:limit]
        return batch_delete(CountItem, [(row.pk, row.sk) for row in rows]) if rows else 0

    def _old(
        self,
        model: type[PointerItem] | type[CountItem] | type[StatesItem] | type[OverlapItem],
        prefix: str,
        account_id: str,
        present: int,
        limit: int,
    ) -> list[_Row]:
        start = key(prefix, account_id) + "#"
        found: list[_Row] = []
        with store_errors():
            for item in model.query(
                self._scope.pk, model.sk.startswith(start), consistent_read=True
            ):
                if int(item.sk.split("#")[2]) < present:
                    found.append(item)
                if len(found) == limit:
                    break
        return found

    def _delete_findings(self, pointers: Sequence[_Row], present: int) -> int:
        ids = [pointer.id for pointer in pointers if isinstance(pointer, PointerItem)]
        for start in range(0, len(ids), 100):
            for finding in self.stored(ids[start : start + 100]).values():
                # The same resource may have been found again in the account's new life.
                if finding.generation < present:
                    self._delete_finding(finding)
        return batch_delete(PointerItem, [(item.pk, item.sk) for item in pointers])

    def _delete_finding(self, finding: Finding) -> None:
        item = FindingItem(self._scope.pk, key("FINDING", finding.id))
        try:
            with store_errors():
                item.delete(
                    FindingItem.pk.does_not_exist() | (FindingItem.generation == finding.generation)
                )
        except ConditionFailed:
            return  # it has just become a finding of the new life

    def delete_any(self, limit: int) -> int:
        with store_errors():
            items = list(
                PointerItem.query(
                    self._scope.pk,
                    consistent_read=True,
                    limit=limit,
                    attributes_to_get=["pk", "sk"],
                )
            )
        return batch_delete(PointerItem, [(item.pk, item.sk) for item in items]) if items else 0
