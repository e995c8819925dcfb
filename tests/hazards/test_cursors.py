"""Cursors: sealed, bound to caller, route and filter, stable under change (B10, B17)."""

from __future__ import annotations

import base64
import json
import os
import string
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tidegate_kit.auth.models import TenantItem
from tidegate_kit.clock import FixedClock
from tidegate_kit.http.paging import InvalidCursor, open_cursor, seal_cursor
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.example import Item, example_router
from tests.builders.members import SignedIn, sign_in

KEY, BINDING = bytes(range(32)), b"binding"
BASE64URL = string.ascii_letters + string.digits + "-_"


class Lists:
    """A member who pages."""

    def __init__(self, platform: Settings) -> None:
        self.clock = FixedClock(datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC))
        router = example_router()
        self.stored: list[Item] = router.stored  # type: ignore[attr-defined]
        self.client = ApiClient([router], platform, self.clock)
        self.member = sign_in(clock=self.clock)

    def get(self, member: SignedIn | None = None, **query: Any) -> httpx.Response:
        self.clock.advance(seconds=1)
        return self.client.get("/items", params=query, headers=(member or self.member).headers)

    def walk(self, between: Any = None, page_size: int = 7) -> list[str]:
        """Ids of all pages; `between(page_number)` runs after each page."""
        seen: list[str] = []
        query: dict[str, Any] = {"page_size": page_size}
        for number in range(100):
            answer = self.get(**query).json()
            seen += [item["id"] for item in answer["items"]]
            if "next_cursor" not in answer:
                return seen
            query["cursor"] = answer["next_cursor"]
            if between is not None:
                between(number)
        raise AssertionError("the pages do not end")


@pytest.fixture
def lists(platform: Settings) -> Lists:
    return Lists(platform)


def _unbound(self: Any) -> bytes:
    return b"the same everywhere"


def assert_invalid(answer: httpx.Response) -> None:
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_CURSOR"


@pytest.mark.hazard("B10")
@pytest.mark.bite("tidegate_kit.http.paging.Paging._binding", replacement=_unbound)
def test_a_cursor_works_only_where_it_was_made(lists: Lists) -> None:
    """B10: another tenant, user or filter, an old key, a day later: 400 INVALID_CURSOR."""
    cursor = lists.get(page_size=5).json()["next_cursor"]
    assert lists.get(cursor=cursor, page_size=5).json()["items"][0]["id"] == "row-0005"
    colleague = sign_in(tenant_id=lists.member.tenant_id, clock=lists.clock)
    assert_invalid(lists.get(sign_in(clock=lists.clock), cursor=cursor))
    assert_invalid(lists.get(colleague, cursor=cursor))
    assert_invalid(lists.get(cursor=cursor, name="n1"))
    tenant = TenantItem.get(f"T#{lists.member.tenant_id}", "TENANT")
    tenant.update(actions=[TenantItem.list_key.set(os.urandom(32))])
    assert_invalid(lists.get(cursor=cursor))


@pytest.mark.hazard("B10")
def test_a_cursor_ends_after_a_day(lists: Lists) -> None:
    """B10: a cursor older than 24 hours is 400."""
    cursor = seal_cursor({"offset": 1}, KEY, BINDING, 1000)
    assert open_cursor(cursor, KEY, BINDING, 999) == {"offset": 1}
    with pytest.raises(InvalidCursor):
        open_cursor(cursor, KEY, BINDING, 1000)


@pytest.mark.hazard("B10")
def test_an_edited_cursor_is_400(lists: Lists) -> None:
    """B10: each byte flipped, every truncation, other spellings and rubbish: 400."""
    cursor = seal_cursor({"offset": 5}, KEY, BINDING, 10**10)
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    edited = [cursor[:length] for length in range(len(cursor))]
    for index in range(len(raw)):
        changed = bytearray(raw)
        changed[index] ^= 1
        edited.append(base64.urlsafe_b64encode(changed).rstrip(b"=").decode())
    edited += [cursor + "A", cursor + "=", f" {cursor}", cursor.swapcase(), "é", "\x00", "." * 80]
    for text in edited:
        with pytest.raises(InvalidCursor):
            open_cursor(text, KEY, BINDING, 1)
    for text in ("", "x", "AQ", "null", "eyJvZmZzZXQiOjV9", "0" * 2048, "0" * 2049):
        assert_invalid(lists.get(cursor=text))


@pytest.mark.hazard("B10")
@hypothesis_settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=300) | st.text(alphabet=BASE64URL, max_size=300))
def test_no_text_is_taken_for_a_cursor(text: str) -> None:
    """B10: any text that was not sealed with the key is InvalidCursor, never another error."""
    with pytest.raises(InvalidCursor):
        open_cursor(text, KEY, BINDING, 1)


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    position=st.dictionaries(st.text(max_size=20), st.text(max_size=40) | st.integers(), max_size=5)
)
def test_a_position_comes_back_as_it_was(position: dict[str, Any]) -> None:
    cursor = seal_cursor(position, KEY, BINDING, 2)
    assert open_cursor(cursor, KEY, BINDING, 1) == position


def _plain(key: Any, secret: bytes, binding: bytes, expires: int) -> str:
    data = json.dumps({"k": dict(key), "e": expires}).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.hazard("B17")
@pytest.mark.bite("tidegate_kit.http.paging.seal_cursor", replacement=_plain)
def test_a_cursor_shows_nothing_of_its_position(lists: Lists) -> None:
    """B17: no key name, id or mail address can be read in a cursor; equal positions look unlike."""
    first = lists.get(page_size=5).json()["next_cursor"]
    second = lists.get(page_size=5).json()["next_cursor"]
    assert first != second
    raw = base64.urlsafe_b64decode(first + "==")
    for text in ("offset", "seen", "row", "T#", lists.member.tenant_id, lists.member.user_id):
        assert text.encode() not in raw


def _by_offset(start: Any, marks: Any) -> int:
    return int(start["offset"])


@pytest.mark.hazard("B17")
@pytest.mark.bite("tidegate_kit.http.paging._resume", replacement=_by_offset)
def test_paging_survives_deletions_and_insertions(lists: Lists) -> None:
    """B17: rows deleted or added between pages, the boundary row too: none lost, none twice."""
    everything = [row.id for row in lists.stored]
    assert lists.walk() == everything

    def delete_boundary(number: int) -> None:
        seen_last = [row for row in lists.stored if row.id == f"row-{number * 7 + 6:04d}"]
        for row in [*seen_last, *lists.stored[:2]]:
            if row in lists.stored:
                lists.stored.remove(row)

    assert lists.walk(delete_boundary) == everything
    left = [row.id for row in lists.stored]

    def insert_first(number: int) -> None:
        lists.stored.insert(0, Item(id=f"new-{number}", name="n", size=1))

    assert lists.walk(insert_first) == left


def test_a_page_past_the_end_is_empty(lists: Lists) -> None:
    answer = lists.get(page=99, page_size=10)
    assert answer.status_code == 200
    assert answer.json() == {
        "items": [], "total": 25, "page": 99, "page_size": 10, "total_pages": 3
    }  # fmt: skip
    empty = lists.get(name="nothing").json()
    assert (empty["total"], empty["total_pages"]) == (0, 0)


@pytest.mark.hazard("D8")
@pytest.mark.parametrize(
    "query",
    ["page_size=0", "page_size=101", "page_size=-1", "page_size=9223372036854775808",
     "page_size=1e3", "page_size=NaN", "page_size=", "page_size=a", "page=0", "page=-1",
     "page=1.5", "page=99999999999999999999", "page_size=true", "page_size=0x10"],
)  # fmt: skip
def test_page_numbers_out_of_range_are_422(lists: Lists, query: str) -> None:
    """D8: sizes of 0, -1, 2^63, 1e3, NaN and beyond 100 are 422; 1 and 100 pass."""
    assert lists.get(**dict([query.split("=")])).status_code == 422
    assert len(lists.get(page_size=100).json()["items"]) == 25
    assert len(lists.get(page_size=1).json()["items"]) == 1


def test_fields_cut_each_item_and_keep_the_id(lists: Lists) -> None:
    answer = lists.get(fields="name", page_size=2).json()
    assert [set(item) for item in answer["items"]] == [{"id", "name"}] * 2
    assert {"total", "page", "page_size", "total_pages", "next_cursor"} <= set(answer)
    one = lists.client.get("/things/latest?fields=size").json()
    assert one == {"id": "latest", "size": 1}
    for text in ("nope", "name,nope", "", ",", "total", "__class__", "name;size"):
        refused = lists.get(fields=text)
        assert refused.status_code == 422, text


def test_an_unchanged_answer_is_304(lists: Lists) -> None:
    first = lists.client.get("/things/latest")
    tag = first.headers["etag"]
    for given_tags in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = lists.client.get("/things/latest", headers={"if-none-match": given_tags})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    other = lists.client.get("/things/latest?fields=size", headers={"if-none-match": tag})
    assert other.status_code == 200
    assert other.headers["etag"] != tag
