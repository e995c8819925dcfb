"""`make aws-check`: what no double can prove, checked on a real AWS account.

It makes what it needs under names that begin with `tidegate-check-`, and removes it again, also
when a check fails. It never touches rows of the deployment: what it writes to a table lies under
two tenants of its own.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.operate.target import OperationError, Target

Check = Callable[["Bench"], str]
PREFIX = "tidegate-check-"
_SETTLE_SECONDS = 10.0
_HTTP_SECONDS = 35.0


class CheckFailed(Exception):
    """What AWS did is not what the product relies on."""


@dataclass
class Bench:
    """The deployment, what was made for the checks, and how to wait and to call."""

    target: Target
    pause: Callable[[float], None] = time.sleep
    fetch: Callable[[str, str], tuple[int, dict[str, str], bytes]] = field(
        default_factory=lambda: fetch
    )
    undo: list[tuple[str, Callable[[], Any]]] = field(default_factory=list)
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def account(self) -> str:
        """The account of the credentials."""
        return str(self.target.client("sts").get_caller_identity()["Account"])


@dataclass(frozen=True)
class Step:
    """One check of the plan: what is proved, why no double proves it, and what is touched."""

    name: str
    proves: str
    touches: str
    run: Check


@dataclass(frozen=True)
class Outcome:
    """How a check ended."""

    name: str
    ok: bool
    detail: str


def fetch(method: str, url: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a call, whatever the status."""
    if not url.startswith("https://"):
        raise CheckFailed(f"{url} is not https")
    request = urllib.request.Request(url, method=method)  # noqa: S310 - https, checked above
    try:
        with urllib.request.urlopen(request, timeout=_HTTP_SECONDS) as answer:  # noqa: S310
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def expect(condition: bool, otherwise: str) -> None:
    """Raise CheckFailed with what was found instead."""
    if not condition:
        raise CheckFailed(otherwise)


def run(bench: Bench, plan: list[Step]) -> list[Outcome]:
    """Every check of the plan; each failure is told and the next one runs. Cleans up."""
    outcomes = []
    try:
        for step in plan:
            bench.target.say(f"- {step.name}: {step.proves} [{step.touches}]")
            try:
                outcomes.append(Outcome(step.name, True, step.run(bench)))
            except CheckFailed as failed:
                outcomes.append(Outcome(step.name, False, str(failed)))
            except Exception as error:  # another service error must not hide the other checks
                outcomes.append(Outcome(step.name, False, f"{type(error).__name__}: {error}"))
            done = outcomes[-1]
            bench.target.say(f"  {'ok' if done.ok else 'FAILED'}: {done.detail}")
    finally:
        clean_up(bench)
    return outcomes


def clean_up(bench: Bench) -> None:
    """Remove what was made, last first; what cannot be removed is named."""
    while bench.undo:
        name, remove = bench.undo.pop()
        try:
            remove()
            bench.target.say(f"  removed {name}")
        except Exception as error:  # the rest must go all the same
            bench.target.say(f"  NOT REMOVED: {name}: {error}")


def assume(bench: Bench, role_arn: str, **options: Any) -> Any:
    """A session of a role. Raises the service's ClientError."""
    session = f"{PREFIX}{bench.run_id}"
    return bench.target.client("sts").assume_role(
        RoleArn=role_arn, RoleSessionName=session, DurationSeconds=900, **options
    )["Credentials"]


def make_role(bench: Bench, name: str, trust: dict[str, Any], policy: dict[str, Any]) -> str:
    """A role of ours with an inline policy, removed at the end; its ARN."""
    iam, full = bench.target.client("iam"), f"{PREFIX}{name}-{bench.run_id}"
    arn = iam.create_role(RoleName=full, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    bench.undo.append((f"role {full}", lambda: iam.delete_role(RoleName=full)))
    iam.put_role_policy(RoleName=full, PolicyName="check", PolicyDocument=json.dumps(policy))
    bench.undo.append(
        (f"policy of {full}", lambda: iam.delete_role_policy(RoleName=full, PolicyName="check"))
    )
    bench.pause(_SETTLE_SECONDS)  # IAM is eventually consistent
    return str(arn)


def main(target: Target, plan: list[Step], *, go: bool) -> int:
    """Print the plan; with `go` carry it out. 0 when every check passed."""
    bench = Bench(target)
    try:
        account = bench.account
    except Exception as error:
        raise OperationError(
            f"no usable AWS credentials: {error}. Sign in to the account of the deployment first "
            "(AWS_PROFILE, `aws sso login`); nothing was done."
        ) from error
    target.say(f"aws-check of stack {target.stack} in account {account}: {len(plan)} checks")
    if not go:
        for step in plan:
            target.say(f"- {step.name}: {step.proves} [{step.touches}]")
        target.say("Nothing was done. Run it with --yes to carry this out.")
        return 0
    outcomes = run(bench, plan)
    failed = [one.name for one in outcomes if not one.ok]
    target.say(f"{len(outcomes) - len(failed)} of {len(outcomes)} checks passed")
    return 1 if failed else 0
