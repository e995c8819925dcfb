"""The first admin, made at deployment (AUTH-15, ADM-1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.identity.errors import EmailAlreadyRegistered
from tidegate.identity.repository.accounts import Accounts
from tidegate.identity.service.credentials import Credentials, Registration
from tidegate.identity.service.passwords import MAX_CHARS, MIN_CHARS, normal

OPERATORS = "Tidegate operators"


@dataclass(frozen=True)
class Bootstrap:
    """What making an admin needs."""

    accounts: Accounts
    credentials: Credentials


@dataclass(frozen=True)
class Admin:
    """The admin, and whether this run made him."""

    user_id: str
    tenant_id: str
    created: bool

    def as_dict(self) -> dict[str, Any]:
        """The task's answer."""
        return {"user_id": self.user_id, "tenant_id": self.tenant_id, "created": self.created}


def admin_of(services: Bootstrap, email: str, password: object) -> Admin:
    """The admin of this canonical address, made if there is none.

    Raises ValueError for an unusable password, and for an address that exists without being an
    admin: taking such an account over by deployment would hand an admin a stranger's password.
    """
    if not isinstance(password, str) or not MIN_CHARS <= len(normal(password)) <= MAX_CHARS:
        raise ValueError(f"password must be text of {MIN_CHARS} to {MAX_CHARS} characters")
    found = services.accounts.find(email)
    if found is None:
        wish = Registration(
            email=email, password=password, first_name="Tidegate", last_name="Operator",
            company=OPERATORS,
        )  # fmt: skip
        try:
            user = services.credentials.register(wish, roles=frozenset({"user", "admin"}))
            return Admin(user.id, user.tenant_id, created=True)
        except EmailAlreadyRegistered:  # another run was faster
            found = services.accounts.find(email)
    if found is None or "admin" not in (found.user.roles or ()):
        raise ValueError("this address belongs to an account that is no admin")
    return Admin(found.user.id, found.user.tenant_id, created=False)
