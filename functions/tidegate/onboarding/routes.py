"""Routes of contract 2.9."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request, Response
from tidegate_kit.auth.permissions import PUBLIC
from tidegate_kit.http import CurrentCall, PageParams, PathId, Router
from tidegate_kit.http.guard import signed_in

from tidegate.discovery.public import DiscoveryRunning
from tidegate.onboarding import answers, inventory, service, wiring
from tidegate.onboarding.credentials import GivenKeys
from tidegate.onboarding.errors import (
    AccountAlreadyConnected,
    AccountMismatch,
    InvalidAwsCredentials,
    InvalidSignature,
    NotConnected,
    RootKeysRefused,
    VerificationRefused,
    VerifyRunning,
)
from tidegate.onboarding.listing import page_of
from tidegate.onboarding.schemas import (
    CreateBody,
    CredentialsBody,
    CredentialsOut,
    DiscoveryOut,
    RediscoverBody,
    RediscoverOut,
    RequestDetailOut,
    RequestList,
    RequestOut,
    VerifiedOut,
    VerifyBody,
)

router = Router("onboarding")
Signature = Annotated[str | None, Query(max_length=200)]


@router.post(
    "/onboarding/create",
    permission="account:manage",
    status=201,
    idempotent=True,
    errors=[AccountAlreadyConnected],
)
def create_onboarding(body: CreateBody, call: CurrentCall, response: Response) -> RequestOut:
    """Ask for a role in an AWS account. 200 with the same request while it is unfinished."""
    requests = wiring.requests(call.principal.tenant_id)
    wanted = service.NewRequest(
        body.account_id, body.tier, tuple(body.regions or ()), body.label or None
    )
    found, made = requests.create(call.principal.tenant_id, call.principal.user_id, wanted)
    response.status_code = 201 if made else 200
    return answers.request(found, requests.links(found), call.now)


@router.get(
    "/onboarding/template/{id}",
    permission=PUBLIC,
    secret=True,
    errors=[InvalidSignature],
    response_class=Response,
)
def onboarding_template(
    id: PathId,
    request: Request,
    call: CurrentCall,
    exp: Signature = None,
    sig: Signature = None,
) -> Response:
    """The CloudFormation template of a request, for a signed link or a member's token."""
    if sig is not None:
        text = wiring.signed_template(id, exp, sig, call.now)
    else:
        principal = signed_in(request.app.state.platform, call, "account:read", InvalidSignature)
        text = wiring.requests(principal.tenant_id).template(id)
    return Response(text, media_type="text/yaml")


@router.post(
    "/onboarding/{id}/verify",
    permission="account:manage",
    idempotent=True,
    errors=[AccountAlreadyConnected, VerifyRunning, VerificationRefused],
)
def verify_onboarding(id: PathId, call: CurrentCall, body: VerifyBody | None = None) -> VerifiedOut:
    """Attack the role; connect the account if it holds, refuse with the fix if not."""
    settings = wiring.settings()
    principal = call.principal
    verifier = wiring.verifier(settings, principal.tenant_id)
    found = verifier.verify(id, body.role_arn if body else None, principal.user_id)
    inventory.start_first(settings, found, wiring.clock)
    return answers.verified(found, inventory.run_status(found))


@router.post(
    "/onboarding/connect/credentials",
    permission="account:manage",
    status=201,
    idempotent=True,
    errors=[
        AccountAlreadyConnected,
        InvalidAwsCredentials,
        RootKeysRefused,
        AccountMismatch,
    ],
)
def connect_credentials(
    body: CredentialsBody, call: CurrentCall, response: Response
) -> CredentialsOut:
    """Connect by access keys. 200 when they replace those of the tenant's own account."""
    settings = wiring.settings()
    principal = call.principal
    given = GivenKeys(
        body.access_key_id,
        body.secret_access_key,
        body.account_id,
        None if body.regions is None else tuple(body.regions),
        body.label,
    )
    connector = wiring.key_connector(settings, principal.tenant_id)
    made = connector.connect(principal.tenant_id, principal.user_id, given)
    inventory.start_first(settings, made.registration, wiring.clock)
    response.status_code = 201 if made.created else 200
    return answers.by_credentials(made, inventory.run_status(made.registration), call.now)


@router.get("/onboarding", permission="account:read")
def list_onboardings(call: CurrentCall, params: Annotated[PageParams, Depends()]) -> RequestList:
    """The tenant's requests, newest first."""
    requests = wiring.requests(call.principal.tenant_id)
    rows, page = page_of(requests.all(), call, params)
    shown = [answers.request_detail(row, requests.links(row), call.now) for row in rows]
    return RequestList(requests=shown, **page)


@router.get("/onboarding/{id}", permission="account:read")
def get_onboarding(id: PathId, call: CurrentCall) -> RequestDetailOut:
    """One request, with the outcome of its last verification and fresh links."""
    requests = wiring.requests(call.principal.tenant_id)
    found = requests.get(id)
    return answers.request_detail(found, requests.links(found), call.now)


@router.get("/onboarding/{id}/discovery", permission="account:read")
def get_discovery(id: PathId, call: CurrentCall) -> DiscoveryOut:
    """The latest discovery run: what was read, and what could not be."""
    found = wiring.requests(call.principal.tenant_id).get(id)
    return answers.discovery(found, inventory.latest(found))


@router.post(
    "/onboarding/{id}/rediscover",
    permission="account:manage",
    status=202,
    idempotent=True,
    errors=[DiscoveryRunning, NotConnected],
)
def rediscover(id: PathId, call: CurrentCall, body: RediscoverBody | None = None) -> RediscoverOut:
    """Read the account again, or some of its regions and services."""
    found = service.connected(wiring.requests(call.principal.tenant_id).get(id))
    wanted = body or RediscoverBody()
    run_id = inventory.start_again(
        wiring.settings(), found, wiring.clock, wanted.regions, wanted.services
    )
    return RediscoverOut(id=found.id, run_id=run_id, status="running")
