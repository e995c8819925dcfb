"""``python -m infra.operate``: what an operator does by hand. Each command says what it does."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from infra.operate import awscheck, checks, redrive, restore, revoke
from infra.operate.target import OperationError, Target


def clients(service: str, credentials: Any = None) -> Any:
    """A boto3 client of the caller's profile, or of temporary credentials."""
    import boto3

    if credentials is None:
        return boto3.client(service)  # type: ignore[call-overload]
    return boto3.client(  # type: ignore[call-overload]
        service,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def forget_tenant(target: Target, tenant_id: str, by: str) -> int:
    """Switch a tenant off and erase everything that is kept of it; 0 when nothing is left."""
    event = json.dumps({"tenant_id": tenant_id, "requested_by": by}).encode()
    function = target.output("ErasureFunctionName")
    answer = target.client("lambda").invoke(FunctionName=function, Payload=event)
    said = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise OperationError(f"{function}: {said.get('errorType')}: {said.get('errorMessage')}")
    target.say(f"done: {said['done']}, still to do: {said['left']} (its schedule goes on)")
    return 1 if said["left"] else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m infra.operate", description=__doc__)
    made.add_argument("--stack", default="tidegate", help="name of the stack (default: tidegate)")
    commands = made.add_subparsers(dest="command", required=True)
    forget = commands.add_parser("forget-tenant", help="erase a tenant; cannot be undone")
    forget.add_argument("tenant_id")
    forget.add_argument("--by", required=True, help="who asks for it; goes into the note")
    back = commands.add_parser("restore", help="put rows of a table back from its backup")
    back.add_argument("table", help="logical name, for example profile")
    back.add_argument("--at", type=datetime.fromisoformat, help="ISO 8601; default: the latest")
    back.add_argument("--prefix", default="", help="only rows whose pk begins so: T#<tenant id>")
    back.add_argument("--overwrite", action="store_true", help="rows that are there too")
    again = commands.add_parser("redrive", help="do dead letters again")
    again.add_argument("--limit", type=int, default=100)
    commands.add_parser("revoke-everything", help="end every session and token of everybody")
    check = commands.add_parser("aws-check", help="check on AWS what no double can prove")
    check.add_argument("--yes", action="store_true", help="carry it out; else only the plan")
    return made


def run(target: Target, chosen: argparse.Namespace) -> int:
    """Carry a command out; its exit status."""
    match chosen.command:
        case "forget-tenant":
            return forget_tenant(target, chosen.tenant_id, chosen.by)
        case "restore":
            restore.restore_rows(
                target, chosen.table, chosen.at, prefix=chosen.prefix, overwrite=chosen.overwrite
            )
            return 0
        case "redrive":
            result = redrive.redrive(target, chosen.limit)
            target.say(str(result))
            return 1 if result.failed or result.lost or result.unknown else 0
        case "revoke-everything":
            revoke.revoke_everything(target)
            return 0
    return awscheck.main(target, checks.PLAN, go=chosen.yes)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when it was done."""
    chosen = parser().parse_args(arguments)
    try:
        return run(Target.of_stack(chosen.stack, clients), chosen)
    except OperationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
