"""Starting a run, and taking an account's inventory away."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clients import platform_client
from tidegate_kit.errors import ServiceUnavailable

from tidegate.discovery.domain import DiscoveryRequest, Run
from tidegate.discovery.repository import DiscoveryRepository
from tidegate.discovery.snapshots import Snapshots

# The machine's own limit is two hours (discovery.asl.yaml): after that its worker is dead.
RUN_MAY_LAST = timedelta(hours=2, minutes=10)
_STEP = 500

Launch = Callable[[Run], None]


def start(
    repository: DiscoveryRepository, request: DiscoveryRequest, launch: Launch, now: datetime
) -> Run:
    """Store the run, then launch it; both may be repeated with the same run id.

    Raises DiscoveryRunning while another run of the account goes on.
    """
    # Whole milliseconds: first sightings are list positions of that precision.
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    wanted = Run(
        id=request.run_id,
        tenant_id=request.tenant_id,
        onboarding_id=request.onboarding_id,
        account_id=request.account_id,
        generation=0,
        status="running",
        wanted_regions=tuple(dict.fromkeys(request.regions)),
        wanted_services=tuple(dict.fromkeys(request.services or ())),
        started_at=now,
        deadline_at=now + RUN_MAY_LAST,
    )
    run = repository.begin(wanted, now)
    if must_launch(run, wanted):
        launch(run)
    return run


def must_launch(stored: Run, wanted: Run) -> bool:
    """True for a running run, also one that was stored before: its starter may have died (H1)."""
    return stored.id == wanted.id and stored.status == "running"


def launcher(machine_arn: str, region: str) -> Launch:
    """Starts the state machine; the execution is named after the run, so once is enough."""

    def launch(run: Run) -> None:
        sfn: Any = platform_client("stepfunctions", region)
        try:
            sfn.start_execution(
                stateMachineArn=machine_arn,
                name=run.id,
                input=json.dumps({"tenant_id": run.tenant_id, "run_id": run.id}),
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
                raise ServiceUnavailable(log=f"stepfunctions: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"stepfunctions: {error}") from error

    return launch


def delete_account(
    repository: DiscoveryRepository, snapshots: Snapshots, account_id: str, steps: int | None
) -> bool:
    """Delete rows and objects of the account's ended generations, at most `steps` batches.

    True when nothing is left. May be stopped anywhere and called again.
    """
    present = repository.account(account_id).generation
    left = steps
    while left is None or left > 0:
        # Objects first: the rows are what says that a generation existed.
        if not (
            any(snapshots.delete_some(account_id, old, _STEP) for old in range(present))
            or repository.delete_some(account_id, _STEP)
        ):
            return True
        left = None if left is None else left - 1
    return False
