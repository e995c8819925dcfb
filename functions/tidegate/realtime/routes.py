"""POST /realtime/ticket."""

from __future__ import annotations

from tidegate_kit.auth.permissions import ANY_USER
from tidegate_kit.errors import Forbidden
from tidegate_kit.http import CurrentCall, Router
from tidegate_kit.ids import new_secret

from tidegate.realtime.domain import Ticket
from tidegate.realtime.repository.tickets import GlobalTickets
from tidegate.realtime.schemas import TicketAnswer, TicketRequest

router = Router("realtime")


@router.post("/realtime/ticket", permission=ANY_USER, status=201, idempotent=True, secret=True)
def create_ticket(body: TicketRequest, call: CurrentCall) -> TicketAnswer:
    """A ticket that opens one socket within 60 seconds, for this client id."""
    who = call.principal
    if who.session_id is None:
        raise Forbidden("A token of the old layout opens no socket. Sign in again.")
    text = new_secret()
    ticket = Ticket(who.tenant_id, who.user_id, who.session_id, body.client_id, call.now)
    ends = GlobalTickets().issue(text, ticket)
    return TicketAnswer(
        ticket=text,
        client_id=body.client_id,
        ws_url=f"{call.settings.ws_url}?client_id={body.client_id}&ticket={text}",
        expires_at=ends,
    )
