"""Sessions = refresh-token families of one user (AUTH-8, AUTH-9)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from tidegate_kit.auth.models import SessionItem, UserItem, session_key, user_key
from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.tenancy import UserScope

from tidegate.identity.models import SpentTokenItem
from tidegate.identity.repository.accounts import still_active


class Sessions(Protocol):
    """The sessions of one user."""

    def open(self, session: SessionItem, proved_hash: str, upgraded_hash: str | None) -> bool:
        """Store a new session if the account is still as it was proved to be.

        `proved_hash` is the password hash that the password matched; `upgraded_hash` replaces it.
        False where the password was changed or the user disabled meanwhile.
        """

    def all(self) -> list[SessionItem]:
        """Every stored session, dead ones too."""

    def revoke(self, session_id: str, now: datetime) -> bool:
        """End a session; False where it had ended or never was."""

    def rotate(self, session_id: str, old_hash: str, new_hash: str, now: datetime) -> bool:
        """Replace the current refresh hash; False where it is not current any more."""

    def was_rotated(self, refresh_hash: str) -> bool:
        """True for the hash of a refresh token that was used before."""

    def spend(self, session_id: str, token_id: str, until: datetime, now: datetime) -> bool:
        """Mark an access token as used for renewal; False where it was, or the session ended."""


class DynamoSessions:
    """Sessions on DynamoDB."""

    def __init__(self, scope: UserScope) -> None:
        self._pk = scope.tenant.pk
        self._user_id = scope.user_id

    def _item(self, session_id: str) -> SessionItem:
        return SessionItem(self._pk, session_key(self._user_id, session_id))

    def open(self, session: SessionItem, proved_hash: str, upgraded_hash: str | None) -> bool:
        unchanged = (UserItem.password_hash == proved_hash) & still_active()
        sk = user_key(self._user_id)
        writes = Transaction()
        if upgraded_hash is None:
            writes.check(UserItem, self._pk, sk, unchanged, name="user")
        else:
            actions = [
                UserItem.password_hash.set(upgraded_hash),
                UserItem.updated_at.set(session.created_at),
            ]
            writes.update(UserItem(self._pk, sk), actions, unchanged, name="user")
        writes.save(session, SessionItem.pk.does_not_exist(), name="session")
        return _won(writes)

    def all(self) -> list[SessionItem]:
        with store_errors():
            return list(
                SessionItem.query(
                    self._pk,
                    SessionItem.sk.startswith(session_key(self._user_id, "")),
                    consistent_read=True,
                )
            )

    def revoke(self, session_id: str, now: datetime) -> bool:
        try:
            with store_errors():
                self._item(session_id).update(
                    actions=[SessionItem.revoked_at.set(now), SessionItem.updated_at.set(now)],
                    condition=SessionItem.pk.exists() & SessionItem.revoked_at.does_not_exist(),
                )
        except ConditionFailed:
            return False
        return True

    def rotate(self, session_id: str, old_hash: str, new_hash: str, now: datetime) -> bool:
        writes = Transaction()
        writes.update(
            self._item(session_id),
            [
                SessionItem.refresh_hash.set(new_hash),
                SessionItem.last_used_at.set(now),
                SessionItem.updated_at.set(now),
            ],
            (SessionItem.refresh_hash == old_hash) & SessionItem.revoked_at.does_not_exist(),
            name="session",
        )
        # Kept longer than any session lives, so that reuse is seen to the end (AUTH-8).
        writes.save(self._spent(f"ROTATED#{old_hash}", session_id, epoch(now) + 31 * 86400, now))
        return _won(writes)

    def was_rotated(self, refresh_hash: str) -> bool:
        (found,) = batch_get([(SpentTokenItem, self._pk, f"ROTATED#{refresh_hash}")])
        return found is not None

    def spend(self, session_id: str, token_id: str, until: datetime, now: datetime) -> bool:
        writes = Transaction()
        writes.check(
            SessionItem,
            self._pk,
            session_key(self._user_id, session_id),
            SessionItem.pk.exists() & SessionItem.revoked_at.does_not_exist(),
            name="session",
        )
        writes.save(
            self._spent(f"RENEWED#{token_id}", session_id, epoch(until), now),
            SpentTokenItem.pk.does_not_exist(),
            name="token",
        )
        return _won(writes)

    def _spent(self, sk: str, session_id: str, expires: int, now: datetime) -> SpentTokenItem:
        return SpentTokenItem(
            self._pk,
            sk,
            session_id=session_id,
            expires=expires,
            created_at=now,
            updated_at=now,
        )


def _won(writes: Transaction) -> bool:
    try:
        writes.commit()
    except ConditionFailed:
        return False
    return True
