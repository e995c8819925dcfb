"""Signed-in members for tests of any domain: real rows, a real ES256 key ring, real tokens."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from tidegate.identity.models import TenantListingItem
from tidegate.identity.repository.accounts import member_listing
from tidegate_kit.auth.models import (
    SessionItem,
    SigningKeyItem,
    TenantItem,
    UserItem,
    UserPointerItem,
    session_key,
    user_key,
)
from tidegate_kit.auth.tokens import AUDIENCE, b64url_encode
from tidegate_kit.clock import Clock, epoch, system_clock
from tidegate_kit.ids import new_id

from tests.builders.settings import ENVIRONMENT

KID = "test-key-1"
PRIVATE_KEY = ec.derive_private_key(
    0x7D6F3A1B5C2E49887766554433221100FFEEDDCCBBAA9988, ec.SECP256R1()
)


def publish_test_key(clock: Clock = system_clock, kid: str = KID) -> None:
    """Put the public half of the test key into the ring."""
    numbers = PRIVATE_KEY.public_key().public_numbers()
    now = clock()
    SigningKeyItem(
        "SIGNING_KEYS",
        f"KEY#{kid}",
        kid=kid,
        x=b64url_encode(numbers.x.to_bytes(32, "big")),
        y=b64url_encode(numbers.y.to_bytes(32, "big")),
        status="active",
        active_from=now,
        created_at=now,
        updated_at=now,
    ).save()


@dataclass(frozen=True)
class SignedIn:
    """A member with a living session and its access token."""

    tenant_id: str
    user_id: str
    session_id: str
    email: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """Authorization header of this member."""
        return {"Authorization": f"Bearer {self.token}"}


def sign(claims: dict[str, Any], kid: str = KID, **headers: Any) -> str:
    """A token with exactly these claims, signed by the test key."""
    return jwt.encode(
        claims, PRIVATE_KEY, algorithm="ES256", headers={"kid": kid, "typ": "at+jwt", **headers}
    )


def claims_for(
    tenant_id: str, user_id: str, session_id: str, email: str, now: datetime, role: str = "user"
) -> dict[str, Any]:
    """The claims of AUTH-5."""
    return {
        "iss": ENVIRONMENT["JWT_ISSUER"],
        "aud": AUDIENCE,
        "sub": user_id,
        "email": email,
        "role": role,
        "tid": tenant_id,
        "sid": session_id,
        "jti": new_id(),
        "iat": epoch(now),
        "nbf": epoch(now),
        "exp": epoch(now) + 1800,
    }


def sign_in(
    *,
    tenant_id: str | None = None,
    user_id: str | None = None,
    roles: Sequence[str] = ("user",),
    is_owner: bool = False,
    email: str | None = None,
    clock: Clock = system_clock,
) -> SignedIn:
    """Store a tenant (if new), a user and a session, and sign a token for them."""
    now = clock()
    user_id, session_id = user_id or new_id(), new_id()
    new_tenant = tenant_id is None
    tenant_id = tenant_id or new_id()
    email = email or f"{user_id}@example.com"
    pk = f"T#{tenant_id}"
    stamp: dict[str, Any] = {"created_at": now, "updated_at": now}
    if new_tenant:
        TenantItem(
            pk, "TENANT", id=tenant_id, name="Example", is_active=True, user_count=1,
            owner_count=1, list_key=os.urandom(32), **stamp,
        ).save()  # fmt: skip
        TenantListingItem("TENANTS", tenant_id, tenant_id=tenant_id, **stamp).save()
    user = UserItem(
        pk, user_key(user_id), id=user_id, tenant_id=tenant_id, email=email,
        password_hash="!", first_name="Ada", last_name="Example", company="Example",
        is_active=True, is_owner=is_owner, roles=set(roles),
        tokens_valid_from=now - timedelta(seconds=1), **stamp,
    )  # fmt: skip
    user.save()
    member_listing(user).save()
    UserPointerItem(
        f"USERID#{user_id}", "KEY", user_id=user_id, tenant_id=tenant_id, **stamp
    ).save()
    SessionItem(
        pk, session_key(user_id, session_id), id=session_id, tenant_id=tenant_id,
        user_id=user_id, refresh_hash="-", csrf_key=os.urandom(32), ip="203.0.113.9",
        user_agent="test", last_used_at=now, absolute_expires_at=now + timedelta(days=30),
        expires=int(time.time()) + 86400 * 30, **stamp,
    ).save()  # fmt: skip
    token = sign(claims_for(tenant_id, user_id, session_id, email, now))
    return SignedIn(tenant_id, user_id, session_id, email, token)
