"""THE route table: every domain's router (GEN-2). Imported by development tools and tests alone.

python -m tidegate.routers list      # one line a route
python -m tidegate.routers check     # declared = mounted = deployed by template.yaml
python -m tidegate.routers openapi   # write the OpenAPI document (--check: say if it drifted)
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tidegate_kit.http import Router
from tidegate_kit.http.app import check_mounted, check_unique, mounted_routes
from tidegate_kit.http.spec import RouteSpec

from tidegate.accounts.routes import router as accounts
from tidegate.admin.routes import router as admin
from tidegate.ai.routes import router as ai
from tidegate.calendar.routes import router as calendar
from tidegate.findings.routes import router as findings
from tidegate.governance.routes import router as governance
from tidegate.identity.routes import router as identity
from tidegate.integrations.routes import router as integrations
from tidegate.lab.routes import router as lab
from tidegate.manifest import deployed, openapi
from tidegate.monitoring.routes import router as monitoring
from tidegate.onboarding.routes import router as onboarding
from tidegate.pipelines.routes import router as pipelines
from tidegate.profile.routes import router as profile
from tidegate.realtime.routes import router as realtime
from tidegate.templates.routes import router as templates
from tidegate.workflows.routes import router as workflows

ROUTERS: tuple[Router, ...] = (
    accounts,
    admin,
    ai,
    calendar,
    findings,
    governance,
    identity,
    integrations,
    lab,
    monitoring,
    onboarding,
    pipelines,
    profile,
    workflows,
    realtime,
    templates,
)


def all_specs(routers: Sequence[Router] = ROUTERS) -> list[RouteSpec]:
    """Every declared route, by path. Raises ValueError for a repeated or undeclared one."""
    for router in routers:
        check_mounted(router)
    specs = check_unique([spec for router in routers for spec in router.specs])
    return sorted(specs, key=lambda spec: (spec.path, spec.method))


def mounted(routers: Sequence[Router] = ROUTERS) -> dict[str, list[str]]:
    """`METHOD /path` of every mounted route, by domain."""
    return {router.domain: mounted_routes(router) for router in routers}


def _list(_: argparse.Namespace) -> int:
    for spec in all_specs():
        print(f"{spec.method:6} {spec.path:48} {spec.permission:20} {spec.rate:4} {spec.domain}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    problems = deployed.problems(all_specs(), deployed.read_routes(arguments.template))
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{len(all_specs())} routes: declared = mounted = deployed, in both spellings")
    return 1 if problems else 0


def openapi_files(routers: Sequence[Router] = ROUTERS) -> dict[Path, str]:
    """The files made from the route table: the published document and the packaged copy."""
    made = openapi.document(routers)
    readable = json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True)
    compact = json.dumps(made, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return {
        Path("docs/openapi.json"): f"{readable}\n",
        Path("functions/tidegate/monitoring/openapi.json"): f"{compact}\n",
    }


def _openapi(arguments: argparse.Namespace) -> int:
    drifted = 0
    for path, text in openapi_files().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        drifted = 1
        if arguments.check:
            print(f"{path} is not what the route table says: run make openapi", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    return drifted if arguments.check else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tidegate.routers")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("list").set_defaults(run=_list)
    check = commands.add_parser("check")
    check.add_argument("--template", type=Path, default=Path("template.yaml"))
    check.set_defaults(run=_check)
    document = commands.add_parser("openapi")
    document.add_argument("--check", action="store_true", help="write nothing; fail on a drift")
    document.set_defaults(run=_openapi)
    parsed = parser.parse_args(arguments)
    status: int = parsed.run(parsed)
    return status


if __name__ == "__main__":
    sys.exit(main())
