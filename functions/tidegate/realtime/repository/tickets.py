"""Tickets: issued once, used once (RT-1)."""

from __future__ import annotations

import hashlib
from datetime import datetime

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, batch_get, store_errors

from tidegate.realtime.domain import TICKET_LIFE, Ticket
from tidegate.realtime.models import TicketItem


class GlobalTickets:
    """Tickets by the hash of their text."""

    def issue(self, text: str, ticket: Ticket) -> datetime:
        """Store a ticket; gives when it ends."""
        ends = ticket.issued_at + TICKET_LIFE
        item = TicketItem(
            _pk(text),
            "TICKET",
            tenant_id=ticket.tenant_id,
            user_id=ticket.user_id,
            session_id=ticket.session_id,
            client_id=ticket.client_id,
            expires_at=ends,
            expires=epoch(ends),
            created_at=ticket.issued_at,
            updated_at=ticket.issued_at,
        )
        with store_errors():
            item.save()
        return ends

    def use(self, text: str, now: datetime) -> Ticket | None:
        """The ticket, once: of many callers at once one gets it (A25). None otherwise."""
        (found,) = batch_get([(TicketItem, _pk(text), "TICKET")])
        if found is None or now >= found.expires_at:
            return None
        try:
            with store_errors():
                found.delete(condition=TicketItem.pk.exists())
        except ConditionFailed:
            return None
        return Ticket(
            found.tenant_id, found.user_id, found.session_id, found.client_id, found.created_at
        )


def _pk(text: str) -> str:
    return f"TICKET#{hashlib.sha256(text.encode()).hexdigest()}"
