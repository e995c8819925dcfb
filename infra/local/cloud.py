"""Bring the local cloud up and down: the order in which the parts come to life."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.local import apis, artefacts, checks, emulator_process, environments, processes
from infra.local.aws import client
from infra.local.config import LocalCloud, LocalCloudError
from infra.local.deploy import Deployment, defaults_of, deploy, parameters_for
from infra.local.documents import properties, read, resources_of_type
from infra.local.edge.targets import Targets, write
from infra.local.progress import note, say, step

ADMIN_EMAIL = "admin@tidegate.local"
ADMIN_OUTPUT = "AdminBootstrapFunctionName"
AFTER_DEPLOY_OUTPUTS = ("SigningKeysFunctionName",)
"""Stack outputs that name functions to run once after every deploy; they must be idempotent."""


def up(cloud: LocalCloud, *, verify: bool = True, preflight: bool = True) -> dict[str, Any]:
    """Start what does not run, deploy the template, check it, and write the outputs.

    Returns the outputs. Called again on a running cloud it deploys what changed.
    """
    started = time.monotonic()
    say(f"local cloud in {cloud.home}")
    if not cloud.template.is_file():
        raise LocalCloudError(f"{cloud.template} does not exist: nothing to deploy")
    environments.ensure_environments(cloud)
    fresh = emulator_process.start(cloud)
    deployment = deploy(cloud)
    write(cloud.targets_file, targets_of(cloud, deployment))
    start_front_door(cloud)
    write_outputs(cloud, deployment, known_admin(cloud))
    if verify and (fresh or deployment.changed):
        checks.verify(cloud, deployment, preflight=preflight)
    run_after_deploy(cloud, deployment)
    outputs = write_outputs(cloud, deployment, bootstrap_admin(cloud, deployment))
    if fresh or deployment.changed:
        with step("saving the state"):
            emulator_process.ask(cloud, "save")
    say(f"up after {time.monotonic() - started:.1f} s")
    _tell(cloud, outputs)
    return outputs


def _tell(cloud: LocalCloud, outputs: dict[str, Any]) -> None:
    say(f"  API        {outputs['api_url']}")
    say(f"  WebSocket  {outputs['ws_url']}")
    say(f"  AWS API    {outputs['aws_endpoint']} (account {outputs['platform_account']})")
    say(f"  logs       {cloud.log_dir}")
    say(f"  outputs    {cloud.outputs_file}")
    say("Next: 'make up' again deploys a change, 'make down' stops and keeps the data.")


def down(cloud: LocalCloud) -> None:
    """Stop the front door and the emulator; the data is kept."""
    with step("stopping the front door") as shown:
        shown.detail = processes.stop(front_door_record(cloud), grace=6.0)
    with step("stopping the emulator, saving its state") as shown:
        shown.detail = emulator_process.stop(cloud)


def reset(cloud: LocalCloud) -> None:
    """Stop everything and forget the data; environments and built layers stay."""
    down(cloud)
    for folder in (cloud.state_dir, cloud.tmp_dir, cloud.run_dir, cloud.home / "cache"):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (cloud.outputs_file, admin_file(cloud)):
        file.unlink(missing_ok=True)
    say("the data of the local cloud is gone")


def status(cloud: LocalCloud) -> bool:
    """Print what runs; return whether everything does."""
    parts = {
        f"emulator    {cloud.aws_endpoint}": emulator_process.record_of(cloud),
        f"front door  {cloud.api_url}": front_door_record(cloud),
    }
    everything = True
    for name, record in parts.items():
        recorded = processes.running(record)
        everything = everything and recorded is not None
        say(f"{name}  " + (f"runs (pid {recorded.pid})" if recorded else "does not run"))
    alive = [
        path
        for path in (cloud.runtimes_dir.glob("*") if cloud.runtimes_dir.is_dir() else ())
        if (found := processes.read_record(path)) is not None and found.alive()
    ]
    say(f"functions   {len(alive)} warm runtime process(es)")
    say(f"outputs     {cloud.outputs_file if cloud.outputs_file.is_file() else 'none yet'}")
    say(f"logs        {cloud.log_dir}")
    if not everything:
        say("Next: 'make up' starts what is missing.")
    return everything


def front_door_record(cloud: LocalCloud) -> Path:
    """Pid record of the front door."""
    return cloud.run_dir / "edge.pid"


def start_front_door(cloud: LocalCloud) -> None:
    """Start the front door unless it runs."""
    record = front_door_record(cloud)
    running = processes.running(record)
    if running is not None and running.version == artefacts.own_version():
        return
    processes.stop(record, grace=6.0)
    processes.require_port(cloud.edge_port, "the front door", "TIDEGATE_LOCAL_PORT")
    log = cloud.log_dir / "edge.log"
    with step("starting the front door") as shown:
        environment = emulator_process.environment(cloud)
        process = processes.start(
            [
                sys.executable,
                "-m",
                "infra.local.edge",
                str(cloud.edge_port),
                str(cloud.targets_file),
            ],
            record=record,
            log=log,
            env={name: environment[name] for name in ("PATH", "HOME") if name in environment},
            cwd=cloud.root,
            version=artefacts.own_version(),
        )
        up_now = processes.wait_until(
            lambda: process.poll() is not None or not processes.port_is_free(cloud.edge_port), 20
        )
        if not up_now or process.poll() is not None:
            raise LocalCloudError(f"the front door did not start:\n{processes.tail(log)}")
        shown.detail = cloud.api_url


def targets_of(cloud: LocalCloud, deployment: Deployment) -> Targets:
    """What the front door forwards to: the first HTTP API and the first WebSocket API."""
    http, sockets = (
        [
            deployment.resources[name]
            for name, routes in deployment.routes.items()
            if routes and apis.protocol(deployment.document, name) == kind
        ]
        for kind in ("HTTP", "WEBSOCKET")
    )
    if len(http) > 1 or len(sockets) > 1:
        note("the template has several APIs of a kind; the front door serves the first")
    socket_id = sockets[0] if sockets else ""
    stage = ""
    if socket_id:
        items = client(cloud, "apigatewayv2").get_stages(ApiId=socket_id)["Items"]
        stage = items[0]["StageName"] if items else ""
    source = read(cloud.template)
    values = defaults_of(source) | parameters_for(cloud, source)
    throttle = throttle_of(deployment)
    return Targets(
        aws_port=cloud.aws_port,
        http_api=http[0] if http else "",
        websocket_api=socket_id,
        websocket_stage=stage,
        cors_origins=tuple(part for part in cloud.cors_origins.split(",") if part),
        environment=values.get("Environment", "development"),
        stage=values.get("Stage", "local"),
        version=values.get("Version", "local"),
        rate=float(throttle.get("ThrottlingRateLimit", 0)),
        burst=float(throttle.get("ThrottlingBurstLimit", 0)),
    )


def throttle_of(deployment: Deployment) -> dict[str, Any]:
    """The throttle of the HTTP API's stage."""
    stages = resources_of_type(deployment.document, "AWS::ApiGatewayV2::Stage")
    for resource in stages.values():
        props = properties(resource)
        if props.get("StageName") == "$default":
            found: dict[str, Any] = props.get("DefaultRouteSettings", {})
            return found
    return {}


def admin_file(cloud: LocalCloud) -> Path:
    """The first administrator's name and password, made once."""
    return cloud.home / "admin.json"


Admin = dict[str, str | None]
NO_ADMIN: Admin = {"email": None, "password": None}


def known_admin(cloud: LocalCloud) -> Admin:
    """The administrator of an earlier deploy, if any."""
    kept = admin_file(cloud)
    found: Admin = json.loads(kept.read_text()) if kept.is_file() else NO_ADMIN
    return found


def bootstrap_admin(cloud: LocalCloud, deployment: Deployment) -> Admin:
    """Create the first administrator if the stack names a function for it."""
    function = deployment.outputs.get(ADMIN_OUTPUT)
    if not function:
        return NO_ADMIN
    admin = known_admin(cloud)
    if admin["email"] is None:
        admin = {"email": ADMIN_EMAIL, "password": secrets.token_urlsafe(18) + "Aa1!"}
    with step("creating the administrator") as shown:
        _invoke(cloud, function, admin)
        shown.detail = str(admin["email"])
    kept = admin_file(cloud)
    kept.touch(mode=0o600)
    kept.write_text(json.dumps(admin))
    return admin


def run_after_deploy(cloud: LocalCloud, deployment: Deployment) -> None:
    """Run once what AWS would run on its schedule only later, such as making signing keys."""
    for output in AFTER_DEPLOY_OUTPUTS:
        if output in deployment.outputs:
            with step(f"running {output.removesuffix('FunctionName')}"):
                _invoke(cloud, deployment.outputs[output], {})


def _invoke(cloud: LocalCloud, function: str, event: Mapping[str, Any]) -> None:
    answer = client(cloud, "lambda").invoke(
        FunctionName=function, Payload=json.dumps(event).encode()
    )
    if "FunctionError" in answer:
        said = answer["Payload"].read().decode(errors="replace")[:1000]
        raise LocalCloudError(f"function {function} failed: {said}\n  Its log: {cloud.log_dir}")


def write_outputs(cloud: LocalCloud, deployment: Deployment, admin: Admin) -> dict[str, Any]:
    """Write ``outputs.json``, the one file that other tools read."""
    outputs = {
        "api_url": cloud.api_url,
        "ws_url": cloud.ws_url,
        "console_url": None,
        "aws_endpoint": cloud.aws_endpoint,
        "region": cloud.region,
        "platform_account": cloud.platform_account,
        "customer_account": cloud.customer_account,
        "admin_email": admin["email"],
        "admin_password": admin["password"],
        "stack_name": cloud.stack_name,
        "stack_outputs": deployment.outputs,
    }
    cloud.outputs_file.touch(mode=0o600)  # it holds the administrator's password
    cloud.outputs_file.write_text(json.dumps(outputs, indent=2) + "\n")
    return outputs
