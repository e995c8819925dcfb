"""Verifies a registration and connects it (ONB-4 to ONB-6, ONB-9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, NotFound, ServiceUnavailable, Unprocessable
from tidegate_kit.ids import IdFactory
from tidegate_kit.observability import logger

from tidegate.onboarding.domain import Lease, RefusalCode, Registration, Tier, Verdict
from tidegate.onboarding.errors import (
    AccountAlreadyConnected,
    VerificationRefused,
    VerifyRunning,
)
from tidegate.onboarding.probes import Prober
from tidegate.onboarding.repository import (
    ClaimTaken,
    GlobalRegistry,
    Registrations,
    change,
)
from tidegate.onboarding.role_arn import RoleArn, default_role_arn, read_role_arn
from tidegate.onboarding.service import disconnected

LEASE = timedelta(seconds=60)  # longer than an HTTP call may run (30 s)
ACCESS_LOST = "ACCESS_LOST"
ACCESS_LEFT = "ACCESS_LEFT"
# A new role, and a policy attached to it, take a while to be seen everywhere; a wrong condition
# is soon known to be wrong.
_SLOW: frozenset[RefusalCode] = frozenset({"ROLE_NOT_ASSUMABLE", "TRUST_UNREADABLE"})
_BRIEFLY = timedelta(seconds=45)


@dataclass(frozen=True)
class Patience:
    """How long to try again while IAM propagates. `pause` takes seconds."""

    budget: timedelta
    pause: Callable[[float], None]
    steps: tuple[float, ...] = (3.0, 5.0, 10.0, 15.0)

    def waits(self) -> Iterator[float]:
        """Seconds to wait before each further try; the last step repeats."""
        yield from self.steps
        while True:
            yield self.steps[-1]


@dataclass(frozen=True)
class StackFacts:
    """What a stack's call-back says of itself."""

    stack_id: str
    tier: Tier


class Verifier:
    """Verifies registrations of one tenant."""

    def __init__(
        self,
        store: Registrations,
        registry: GlobalRegistry,
        prober: Prober,
        platform_role_arn: str,
        clock: Clock,
        new_id: IdFactory,
    ) -> None:
        self._store = store
        self._registry = registry
        self._prober = prober
        _, self._partition, _, _, self._platform_account, _ = platform_role_arn.split(":", 5)
        self._clock = clock
        self._new_id = new_id

    def verify(
        self,
        onboarding_id: str,
        role_arn: str | None,
        actor: str,
        *,
        patience: Patience | None = None,
        stack: StackFacts | None = None,
    ) -> Registration:
        """The connected registration.

        Raises NotFound, VerifyRunning, VerificationRefused (stored), AccountAlreadyConnected,
        Unprocessable for an ARN that is no ordinary role's, ServiceUnavailable when AWS's answers
        prove nothing (ONB-4).
        """
        seen = self._store.get(onboarding_id)
        if seen is None or seen.status == "disconnected":
            raise NotFound
        if seen.method != "role" or seen.external_id is None:
            raise AccountAlreadyConnected
        role = self.role_of(seen, role_arn)
        with self._leased(onboarding_id) as lease:
            verdict = self._settled_verdict(seen, role, lease, patience)
            return self._settle(onboarding_id, verdict, lease, actor, stack)

    def reprobe(self, seen: Registration, actor: str) -> Registration:
        """Repeat the probes of a connected registration and store the outcome (ONB-9).

        A failure sets access_lost, or disconnects where the stack is known to be gone.
        Raises VerifyRunning, ServiceUnavailable.
        """
        role = self.role_of(seen, None)
        with self._leased(seen.id) as lease:
            verdict = self._probe(seen, role)
            try:
                return self._settle(seen.id, verdict, lease, actor, None)
            except VerificationRefused:
                return self._store.get(seen.id) or seen

    def gone(self, seen: Registration) -> bool:
        """True if AWS denies the registration's role. Raises ServiceUnavailable."""
        fault = self._probe(seen, self.role_of(seen, None)).refusal
        return fault is not None and fault.code == "ROLE_NOT_ASSUMABLE"

    def role_of(self, seen: Registration, given: str | None) -> RoleArn:
        """The role to verify: given, else the connected one, else the template's (G6, G8)."""
        default = default_role_arn(self._partition, seen.account_id, seen.role_name or "")
        role = read_role_arn(given or seen.role_arn or default, self._partition)
        if role is None:
            raise Unprocessable(
                details=[Detail("role_arn", "is not the ARN of an IAM role of a customer account")]
            )
        if role.account_id == self._platform_account:
            raise Unprocessable(
                details=[Detail("role_arn", "is a role of the platform's own account")]
            )
        return role

    def _probe(self, seen: Registration, role: RoleArn) -> Verdict:
        return self._prober.probe(
            seen.tenant_id, seen.account_id, role, seen.external_id or self._new_id()
        )

    def _settled_verdict(
        self, seen: Registration, role: RoleArn, lease: str, patience: Patience | None
    ) -> Verdict:
        """The verdict, asked again while it may come from IAM's propagation."""
        if patience is None:
            return self._probe(seen, role)
        began = self._clock()
        for wait in patience.waits():
            try:
                verdict = self._probe(seen, role)
                left = _time_left(verdict, self._clock() - began, patience.budget)
            except ServiceUnavailable:
                if self._clock() - began + timedelta(seconds=wait) > patience.budget:
                    raise
                left = timedelta.max
            if left < timedelta(seconds=wait):
                return verdict
            patience.pause(wait)
            self._extend(seen.id, lease)
        raise AssertionError("unreachable")  # waits() is endless

    @contextmanager
    def _leased(self, onboarding_id: str) -> Iterator[str]:
        """Be the only verification of this registration; let it go if the work fails."""
        token = self._new_id()
        self._take(onboarding_id, token)
        try:
            yield token
        except VerificationRefused:
            raise  # stored, and the lease with it
        except Exception:
            self._let_go(onboarding_id, token)
            raise

    def _take(self, onboarding_id: str, token: str) -> None:
        now = self._clock()

        def step(old: Registration) -> Registration:
            if old.status == "disconnected":
                raise NotFound
            if old.lease is not None and old.lease.until > now:
                left = max(1, int((old.lease.until - now).total_seconds()))
                raise VerifyRunning(headers={"Retry-After": str(left)})
            status = old.status if old.holds_claim else "verifying"
            return replace(old, status=status, lease=Lease(token, now + LEASE), updated_at=now)

        change(self._store, onboarding_id, step)

    def _extend(self, onboarding_id: str, token: str) -> None:
        now = self._clock()
        change(
            self._store,
            onboarding_id,
            lambda old: replace(_leased_by(old, token), lease=Lease(token, now + LEASE)),
        )

    def _let_go(self, onboarding_id: str, token: str) -> None:
        now = self._clock()

        def step(old: Registration) -> Registration:
            if old.lease is None or old.lease.token != token:
                return old
            return replace(
                old, status=old.shown_status(old.lease.until), lease=None, updated_at=now
            )

        change(self._store, onboarding_id, step)

    def _settle(
        self,
        onboarding_id: str,
        verdict: Verdict,
        lease: str,
        actor: str,
        stack: StackFacts | None,
    ) -> Registration:
        now = self._clock()
        fault = verdict.refusal
        if fault is not None:
            stored = change(
                self._store,
                onboarding_id,
                lambda old: _refused(_leased_by(old, lease), verdict, actor, now),
            )
            self._warn_of_foreign_claim(stored)
            raise VerificationRefused(fault.code, fault.fix)
        run_id = self._new_id()
        try:
            return change(
                self._store,
                onboarding_id,
                lambda old: _connected(_leased_by(old, lease), verdict, run_id, actor, stack, now),
            )
        except ClaimTaken as taken:
            raise AccountAlreadyConnected from taken

    def _warn_of_foreign_claim(self, refused: Registration) -> None:
        """Log that a tenant was refused an account of another one; he is told nothing (G5)."""
        holder = self._registry.holder_of(refused.account_id)
        if holder is not None and holder.tenant_id != refused.tenant_id:
            logger.warning(
                "security: refused a role in an account that another tenant has connected",
                onboarding_id=refused.id,
                tenant_id=refused.tenant_id,
                account_id=refused.account_id,
            )


def _time_left(verdict: Verdict, spent: timedelta, budget: timedelta) -> timedelta:
    """How much longer a refusal may be a matter of propagation."""
    if verdict.refusal is None or verdict.refusal.code == "ACCOUNT_MISMATCH":
        return timedelta(0)
    return (budget if verdict.refusal.code in _SLOW else min(_BRIEFLY, budget)) - spent


def _leased_by(old: Registration, token: str) -> Registration:
    """`old`, if this verification may still write it."""
    if old.status == "disconnected":
        raise NotFound
    if old.lease is None or old.lease.token != token:
        raise VerifyRunning
    return old


def _refused(old: Registration, verdict: Verdict, actor: str, now: datetime) -> Registration:
    if not old.holds_claim:
        return replace(
            old, status="refused", refusal=verdict.refusal, checks=verdict.checks, lease=None,
            actor=actor, updated_at=now,
        )  # fmt: skip
    if verdict.role_arn != old.role_arn:
        # Another role was tried; the connected one is as good as it was.
        return replace(old, lease=None, updated_at=now)
    fault = verdict.refusal
    if old.stack_removed_at is not None and fault and fault.code == "ROLE_NOT_ASSUMABLE":
        return disconnected(old, actor, now)
    return access_lost(replace(old, refusal=fault, checks=verdict.checks, lease=None), actor, now)


def access_lost(old: Registration, actor: str, now: datetime) -> Registration:
    """Connected no more, but nothing deleted and the claim kept (ONB-9)."""
    if old.status == "access_lost":
        return replace(old, updated_at=now)
    return replace(
        old, status="access_lost", alert=ACCESS_LOST, alert_at=now, actor=actor, updated_at=now
    )


def _connected(
    old: Registration,
    verdict: Verdict,
    run_id: str,
    actor: str,
    stack: StackFacts | None,
    now: datetime,
) -> Registration:
    new = replace(
        old,
        status="connected",
        role_arn=verdict.role_arn,
        checks=verdict.checks,
        refusal=None,
        lease=None,
        alert=None,
        alert_at=None,
        last_verified_at=now,
        updated_at=now,
        # A restored access continues the connection that it was.
        connected_at=old.connected_at if old.holds_claim else now,
        discovery_run_id=old.discovery_run_id if old.holds_claim else run_id,
        actor=old.actor if old.status == "connected" else actor,
    )
    if stack is None:
        return new
    return replace(new, stack_id=stack.stack_id, tier=stack.tier, stack_removed_at=None)
