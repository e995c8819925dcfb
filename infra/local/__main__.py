"""The commands: ``python -m infra.local up|down|restart|status|reset``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from infra.local import cloud as local
from infra.local.config import LocalCloud, LocalCloudError, from_environment
from infra.local.progress import complain


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    made.add_argument("--template", type=Path, help="SAM template (default: template.yaml)")
    made.add_argument("--home", type=Path, help="folder for state, logs, outputs (.local)")
    made.add_argument("--port", type=int, help="port of the front door (8000)")
    made.add_argument("--aws-port", type=int, help="port of the emulated AWS API (4566)")
    commands = made.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start, deploy what changed, check")
    up.add_argument("--no-checks", action="store_true", help="skip the checks after the deploy")
    up.add_argument("--no-preflight", action="store_true", help="skip the CORS check only")
    up.add_argument("--reset", action="store_true", help="forget the data first")
    commands.add_parser("down", help="stop; the data is kept")
    commands.add_parser("restart", help="stop gracefully and start again")
    commands.add_parser("status", help="what runs (exit code 1 if something does not)")
    commands.add_parser("reset", help="stop and forget the data")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    chosen = parser().parse_args(arguments)
    try:
        return run(chosen, configured(chosen))
    except LocalCloudError as error:
        complain(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        complain("interrupted; 'make down' stops what was started")
        return 130


def configured(chosen: argparse.Namespace) -> LocalCloud:
    """The cloud of the environment, with the command line's choices on top."""
    cloud = from_environment()
    if chosen.template:
        cloud = replace(cloud, template=chosen.template.absolute())
    if chosen.home:
        cloud = replace(cloud, home=chosen.home.absolute())
    return cloud.with_ports(chosen.aws_port or cloud.aws_port, chosen.port or cloud.edge_port)


def run(chosen: argparse.Namespace, cloud: LocalCloud) -> int:
    """Dispatch to the command."""
    if chosen.command == "up":
        if chosen.reset:
            local.reset(cloud)
        local.up(cloud, verify=not chosen.no_checks, preflight=not chosen.no_preflight)
    elif chosen.command == "restart":
        local.down(cloud)
        local.up(cloud)
    elif chosen.command == "down":
        local.down(cloud)
    elif chosen.command == "reset":
        local.reset(cloud)
    else:
        return 0 if local.status(cloud) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
