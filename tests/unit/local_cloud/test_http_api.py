"""What the emulator's payload 2.0 lacks."""

from __future__ import annotations

from infra.local.emulator.http_api import Edge, complete, cookies_of, joined


def test_cookies_become_a_list_and_leave_the_headers() -> None:
    headers = [("Cookie", "a=1; b=2;"), ("cookie", "c=3"), ("X-A", "1"), ("x-a", "2")]
    assert cookies_of(headers) == ["a=1", "b=2", "c=3"]
    assert joined(headers)["x-a"] == "1,2"
    event = {
        "headers": joined(headers),
        "requestContext": {"http": {"sourceIp": "127.0.0.1"}},
        "pathParameters": None,
    }
    complete(event, Edge("192.0.2.7", "localhost:8000", ["a=1"]))
    assert event == {
        "headers": {"x-a": "1,2", "host": "localhost:8000"},
        "requestContext": {"http": {"sourceIp": "192.0.2.7"}, "domainName": "localhost"},
        "cookies": ["a=1"],
    }


def test_without_cookies_there_is_no_list() -> None:
    event = {"headers": {}, "requestContext": {"http": {}}, "pathParameters": {"proxy": "x"}}
    complete(event, Edge("::1", "h", []))
    assert "cookies" not in event
    assert event["pathParameters"] == {"proxy": "x"}
