"""Invitations of one tenant (AUTH-3)."""

from __future__ import annotations

from typing import Protocol

from tidegate_kit.dynamo import ConditionFailed, batch_get, store_errors
from tidegate_kit.tenancy import TenantScope, key

from tidegate.identity.models import InvitationItem


class Invitations(Protocol):
    """Invitations to one tenant."""

    def add(self, invitation: InvitationItem) -> None:
        """Store a new one."""

    def renew(self, invitation: InvitationItem, token_hash: str) -> bool:
        """Give a pending invitation another token; False where it is pending no more."""

    def get(self, invitation_id: str) -> InvitationItem | None:
        """One invitation, whatever its state."""

    def all(self) -> list[InvitationItem]:
        """Every stored invitation."""

    def withdraw(self, invitation_id: str) -> bool:
        """Delete a pending invitation; False where there is none."""


class DynamoInvitations:
    """Invitations on DynamoDB."""

    def __init__(self, scope: TenantScope) -> None:
        self._pk = scope.pk

    def add(self, invitation: InvitationItem) -> None:
        with store_errors():
            invitation.save(condition=InvitationItem.pk.does_not_exist())

    def renew(self, invitation: InvitationItem, token_hash: str) -> bool:
        try:
            with store_errors():
                invitation.update(
                    actions=[InvitationItem.token_hash.set(token_hash)],
                    condition=InvitationItem.status == "pending",
                )
        except ConditionFailed:
            return False
        return True

    def get(self, invitation_id: str) -> InvitationItem | None:
        (found,) = batch_get([(InvitationItem, self._pk, invitation_key(invitation_id))])
        return found

    def all(self) -> list[InvitationItem]:
        with store_errors():
            return list(
                InvitationItem.query(
                    self._pk, InvitationItem.sk.startswith("INVITE#"), consistent_read=True
                )
            )

    def withdraw(self, invitation_id: str) -> bool:
        try:
            with store_errors():
                InvitationItem(self._pk, invitation_key(invitation_id)).delete(
                    condition=InvitationItem.status == "pending"
                )
        except ConditionFailed:
            return False
        return True


def invitation_key(invitation_id: str) -> str:
    """Sort key of an invitation."""
    return key("INVITE", invitation_id)
