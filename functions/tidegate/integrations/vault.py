"""Seals what is secret to its tenant, its record and its field (GEN-7, H31)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tidegate_kit.crypto import SealContext, Sealer
from tidegate_kit.tenancy import TenantScope, UserScope


@dataclass(frozen=True)
class Vault:
    """Secrets of one user's or tenant's records. A seal that is broken or moved does not open."""

    sealer: Sealer
    scope: TenantScope | UserScope

    def seal(self, plain: str, record: str, field: str) -> str:
        """Raises ServiceUnavailable."""
        return self.sealer.seal(plain, self._context(record, field))

    def open(self, sealed: str, record: str, field: str) -> str:
        """Raises SealBroken, ServiceUnavailable."""
        return self.sealer.open(sealed, self._context(record, field))

    def seal_data(self, data: Any, record: str, field: str) -> str:
        """JSON data; raises ServiceUnavailable."""
        return self.seal(json.dumps(data), record, field)

    def open_data(self, sealed: str, record: str, field: str) -> Any:
        """Raises SealBroken, ServiceUnavailable."""
        return json.loads(self.open(sealed, record, field))

    def _context(self, record: str, field: str) -> SealContext:
        return SealContext(self.scope.tenant_id, f"{self.scope.pk}#{record}", field)
