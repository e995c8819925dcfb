"""Users and tenants for administrators.

Apart from `public`, because hashing and tokens cost a worker much to import.
"""

from __future__ import annotations

import secrets
from functools import cache

from tidegate_kit.auth.models import TenantItem, UserItem
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import IdFactory, new_id

from tidegate.identity.errors import EmailAlreadyRegistered, LastAdmin, LastOwner, UsernameTaken
from tidegate.identity.repository.accounts import GlobalAccounts
from tidegate.identity.repository.administration import GlobalAdministration
from tidegate.identity.repository.invitations import DynamoInvitations
from tidegate.identity.repository.logins import GlobalLogins
from tidegate.identity.repository.members import DynamoMembers
from tidegate.identity.schemas import Email, Name, NewPassword, Registered, Username, sorted_roles
from tidegate.identity.service.administration import (
    AdminService,
    UserChange,
    UserFilter,
    UserWish,
)
from tidegate.identity.service.credentials import Credentials
from tidegate.identity.service.passwords import Passwords
from tidegate.identity.settings import parse_targets

__all__ = [
    "AdminService",
    "Email",
    "EmailAlreadyRegistered",
    "LastAdmin",
    "LastOwner",
    "Name",
    "NewPassword",
    "Registered",
    "TenantItem",
    "UserChange",
    "UserFilter",
    "UserItem",
    "UserWish",
    "Username",
    "UsernameTaken",
    "administration",
    "parse_targets",
    "sorted_roles",
]


def administration(clock: Clock = system_clock, ids: IdFactory = new_id) -> AdminService:
    """Everything an administrator may do with users and tenants."""
    accounts, passwords = GlobalAccounts(), _passwords()
    credentials = Credentials(
        accounts, DynamoInvitations, GlobalLogins(), passwords, clock, ids, secrets.token_bytes
    )
    return AdminService(
        GlobalAdministration(), accounts, DynamoMembers, credentials, passwords, clock, ids
    )


@cache
def _passwords() -> Passwords:
    # It only hashes: the cost of old hashes matters where passwords are checked.
    return Passwords(bcrypt_cost=0)
