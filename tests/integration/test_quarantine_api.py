"""What was refused is found, by its readers and nobody else."""

import base64
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.quarantined import BAD, GOOD, HOSTILE, LIST, Site, post
from webapp.access.models import Grant, create_token
from webapp.access.scope import ALL
from webapp.logs import refusals
from webapp.logs.refusals import Wanted


def test_entries_are_found_by_source_reason_time_and_bytes(boss: Client, site: Site) -> None:
    site.refuse(BAD, HOSTILE, b"{}")

    def found(**asked: Any) -> list[str]:
        answer = boss.get(LIST, asked)
        assert answer.status_code == 200, answer.content
        return sorted(entry["reason"] for entry in answer.json()["entries"])

    assert found() == ["bad_json", "bad_time", "empty"]
    assert found(reason=["bad_time", "empty"]) == ["bad_time", "empty"]
    assert found(contains="<script>") == ["bad_json"]
    assert found(contains="<SCRIPT>") == []
    assert found(source="shop", start="now-1h") == ["bad_json", "bad_time", "empty"]
    assert found(source="nobody") == found(end="now-1h") == found(replayed="yes") == []


def test_pages_lead_on_without_gap_or_repeat(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "LOOKED", 4)
    site.refuse(*[BAD, b"{}"] * 10)
    for wanted, wants in ((Wanted(), 20), (Wanted(reasons=("empty",)), 10)):
        seen, cursor = [], ""
        while True:
            page = refusals.find(wanted, ALL, limit=3, cursor=cursor)
            seen += [entry.id for entry in page.entries]
            if not page.next:
                break
            cursor = page.next
        assert len(seen) == len(set(seen)) == wants
        assert seen == sorted(seen, reverse=True)


def test_an_entry_gives_its_bytes_as_they_are(boss: Client, site: Site) -> None:
    (number,) = site.refuse(HOSTILE)
    answer = boss.get(f"{LIST}/{number}")
    assert answer.headers["Content-Type"] == "application/json"
    assert base64.b64decode(answer.json()["base64"]) == HOSTILE
    assert answer.json()["text"] == HOSTILE.decode("utf-8", "replace")
    assert "\x1b" not in answer.json()["beginning"]
    for nowhere in (number + 1, 2**70):
        assert boss.get(f"{LIST}/{nowhere}").status_code == 404


@pytest.mark.parametrize(
    "asked", [{"cursor": "x"}, {"start": "soon"}, {"limit": 0}, {"reson": "x"}, {"replayed": "maybe"}]
)
def test_a_wrong_question_is_refused(boss: Client, site: Site, asked: dict[str, Any]) -> None:
    assert boss.get(LIST, asked).status_code == 400


def test_a_reader_finds_and_sends_nothing_of_another_source(client: Client, site: Site) -> None:
    (number,) = site.refuse(GOOD + b"}")
    ann = User.objects.create_user("ann")
    ann.user_permissions.add(Permission.objects.get(codename="replay_quarantine"))
    client.force_login(ann)
    assert client.get(LIST).json()["entries"] == []
    assert client.get(f"{LIST}/{number}").status_code == 404
    assert post(client, {"ids": [number], "text": "{}"}).json()["unknown"] == 1
    assert post(client, {"start": "0"}).json()["entries"] == []
    Grant.objects.create(user=ann, source=site.shop)
    assert [entry["id"] for entry in client.get(LIST).json()["entries"]] == [number]
    assert post(client, {"ids": [number], "text": GOOD.decode()}).json()["replayed"] == 1


def test_sending_again_wants_the_right_to_it(client: Client, site: Site) -> None:
    (number,) = site.refuse(BAD)
    tokens = {
        scope: create_token(scope, scope, all_sources=scope == "read")[1] for scope in ("read", "admin")
    }

    def by(value: str) -> Any:
        return post(client, {"ids": [number]}, headers={"Authorization": f"Bearer {value}"})

    assert client.get(LIST, headers={"Authorization": f"Bearer {site.token}"}).status_code == 401
    assert (by(tokens["read"]).status_code, by(tokens["admin"]).status_code) == (403, 200)
    client.force_login(User.objects.create_user("ann"))
    assert post(client, {"ids": [number]}).status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("boss"))
    assert post(strict, {"ids": [number]}).status_code == 403
