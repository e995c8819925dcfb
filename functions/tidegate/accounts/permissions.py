"""What the last discovery could and could not read, and the template that adds what is missing.

Pure: from discovery's view to the features of contract 2.8. Only denials that were seen count as
missing; a service that was never tried is not granted, with nothing known to be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tidegate.discovery.public import DiscoveryView, ServiceView

DeniedBy = Literal["policy", "scp", "unknown"]


@dataclass(frozen=True)
class FeatureState:
    """One feature: reading one service's resources."""

    feature: str
    granted: bool
    missing_actions: tuple[str, ...]
    denied_by: DeniedBy | None


def features(view: DiscoveryView | None, services: Iterable[str]) -> list[FeatureState]:
    """The state of every service's discovery, by name, over all regions of the last run."""
    tried: dict[str, list[ServiceView]] = {}
    for region in view.regions if view is not None else ():
        for unit in region.services:
            tried.setdefault(unit.service, []).append(unit)
    return [_feature(name, tried.get(name, [])) for name in sorted({*services, *tried})]


def _feature(service: str, units: Sequence[ServiceView]) -> FeatureState:
    missing = tuple(sorted({action for unit in units for action in unit.missing_actions}))
    read = any(unit.status in ("ok", "partial") for unit in units)
    granted = read and not missing and not any(unit.status == "denied" for unit in units)
    return FeatureState(
        feature=f"discovery:{service}",
        granted=granted,
        missing_actions=missing,
        denied_by=None if granted else _denied_by(units, missing),
    )


def _denied_by(units: Sequence[ServiceView], missing: Sequence[str]) -> DeniedBy:
    if not missing:
        return "unknown"
    reasons = " ".join(unit.reason or "" for unit in units if unit.missing_actions)
    return "scp" if "(SCP)" in reasons else "policy"


def delta_template(states: Iterable[FeatureState], role_arn: str | None) -> str | None:
    """A CloudFormation template with a policy of just the missing actions; None: none missing.

    It is attached to the access role where there is one. Actions that an organisation's policy
    (SCP) denies are left out: no policy in the account can allow them.
    """
    actions = sorted(
        {action for state in states if state.denied_by != "scp" for action in state.missing_actions}
    )
    if not actions:
        return None
    # JSON texts are YAML scalars, so no value can break out of its place.
    listed = "\n".join(f"              - {json.dumps(action)}" for action in actions)
    role = role_arn.rpartition("/")[2] if role_arn is not None else None
    attached = f"      Roles:\n        - {json.dumps(role)}\n" if role else ""
    return (
        'AWSTemplateFormatVersion: "2010-09-09"\n'
        "Description: Adds the read actions that Tidegate was denied, and nothing else.\n"
        "Resources:\n"
        "  TidegateMissingActions:\n"
        "    Type: AWS::IAM::ManagedPolicy\n"
        "    Properties:\n"
        f"{attached}"
        "      PolicyDocument:\n"
        '        Version: "2012-10-17"\n'
        "        Statement:\n"
        "          - Effect: Allow\n"
        "            Action:\n"
        f"{listed}\n"
        '            Resource: "*"\n'
    )
