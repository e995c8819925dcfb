"""DynamoDB stream triggers after a restart.

MiniStack keeps how far each trigger has read but not the records, so a trigger that had
read ten records would sleep through the first ten after a restart.
"""

from __future__ import annotations

from collections.abc import Callable


def install() -> None:
    """Before every poll, pull triggers back that stand beyond the end of their stream."""
    from ministack.services import lambda_svc

    poll: Callable[[], bool] = lambda_svc._poll_dynamodb_streams

    def poll_within_the_stream() -> bool:
        pull_back()
        return poll()

    lambda_svc._poll_dynamodb_streams = poll_within_the_stream


def pull_back() -> None:
    """Set every position that its stream does not reach to the stream's start."""
    from ministack.core.responses import request_scope
    from ministack.services import dynamodb, lambda_svc

    for account, region, mapping in lambda_svc._iter_all_esms():
        source = str(mapping.get("EventSourceArn", ""))
        if ":dynamodb:" not in source:
            continue
        table = source.partition(":table/")[2].partition("/")[0]
        with request_scope(account, region), lambda_svc._dynamodb_stream_positions_lock:
            positions = lambda_svc._dynamodb_stream_positions
            if positions.get(mapping["UUID"], 0) > dynamodb.stream_end_position(table):
                positions[mapping["UUID"]] = dynamodb.stream_start_position(table)
