"""On-demand capacity reservations, with their use of 7 days (capacity-reservation-unused)."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, pick, tag_map
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, measure_each

DESCRIBE = Read("ec2", "describe_capacity_reservations", "ec2:DescribeCapacityReservations")
_SERIES = (
    Series("used_max", "AWS/EC2CapacityReservations", "UsedInstanceCount", "Maximum", 7),
    Series("available_avg", "AWS/EC2CapacityReservations", "AvailableInstanceCount", "Average", 7),
)
_OVER = {"cancelled", "expired", "failed", "unsupported"}
_PAGE_SIZE = 100


class Ec2CapacityReservations(Collector):
    """ec2:capacity-reservation; those that are over are left out."""

    service = "ec2-capacity-reservations"
    types = ("ec2:capacity-reservation",)
    reads = (DESCRIBE, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of reservations."""
        answer = reader.call(DESCRIBE, MaxResults=_PAGE_SIZE, NextToken=token)
        drafts = [
            _draft(reader, reservation)
            for reservation in answer.get("CapacityReservations", [])
            if reservation.get("State") not in _OVER
        ]
        measure_each(
            reader, drafts, _SERIES, lambda draft: {"CapacityReservationId": draft.short_id}
        )
        return reader.page([draft.found() for draft in drafts], answer.get("NextToken"))


def _draft(reader: Reader, reservation: dict[str, Any]) -> Draft:
    id_ = reservation["CapacityReservationId"]
    draft = Draft(
        arn=reader.target.arn("ec2", f"capacity-reservation/{id_}"),
        type="ec2:capacity-reservation",
        region=reader.target.region,
        state=reservation.get("State"),
        tags=tag_map(reservation.get("Tags")),
        attributes=pick(
            reservation,
            instance_type="InstanceType",
            platform="InstancePlatform",
            tenancy="Tenancy",
            availability_zone="AvailabilityZone",
            total="TotalInstanceCount",
            created_at="CreateDate",
            ends_at="EndDate",
            match_criteria="InstanceMatchCriteria",
        ),
    )
    # What is free right now moves with every launch: a measurement, not a setting.
    draft.measure(
        "available_now",
        reservation.get("AvailableInstanceCount"),
        known="AvailableInstanceCount" in reservation,
    )
    return draft
