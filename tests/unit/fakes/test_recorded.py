"""Recorded AWS answers decode to what botocore would return."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.fakes import recorded
from tests.fakes.recorded import decode, recordings, scenario, scenarios


def test_datetimes_decode_to_aware_ones() -> None:
    encoded = {"__class__": "datetime", "year": 2023, "month": 4, "day": 19, "hour": 8}
    assert decode([{"a": encoded}]) == [{"a": dt.datetime(2023, 4, 19, 8, tzinfo=dt.UTC)}]
    with pytest.raises(ValueError, match="unknown recorded class"):
        decode({"__class__": "bytes"})


def test_every_recording_is_read() -> None:
    found = scenarios()
    assert len(found) > 250
    assert sum(len(item.recordings) for item in found) > 1_000
    for recording in recordings(service="ec2", operation="DescribeVolumes"):
        for volume in recording.data.get("Volumes", []):
            assert isinstance(volume["CreateTime"], dt.datetime)


def test_text_timestamps_and_shared_prefixes_are_resolved() -> None:
    names = {recording.client_name for recording in recordings(service="elasticloadbalancing")}
    assert names == {"elb", "elbv2"}
    balancer = scenario("aws-recorded", "test_appelb_waf").recordings[0].data["LoadBalancers"][0]
    assert isinstance(balancer["CreatedTime"], dt.datetime)


def test_errors_are_raised_as_recorded() -> None:
    errors = list(recordings(errors=True))
    assert errors
    with scenario("aws-recorded", "test_kms_access_denied").playing() as calls:
        client = boto3.client("kms", region_name="us-east-1")
        with pytest.raises(ClientError, match="AccessDeniedException"):
            client.describe_key(KeyId="alias/x")
        with pytest.raises(LookupError, match=r"kms\.DisableKey"):
            client.disable_key(KeyId="x")
    assert calls == {"kms.DescribeKey": 1}


def test_absent_vectors_skip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recorded, "VECTORS", tmp_path)
    with pytest.raises(pytest.skip.Exception, match="not beside this checkout"):
        scenarios()
