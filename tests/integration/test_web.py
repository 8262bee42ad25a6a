"""The web's doors: log-in, admin, Flower's proxy, content policy, and lines sent to the wrong port."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.test import Client

from ingest import directory
from tests.faults import frozen
from webapp.access.models import Source, Token
from webapp.local import servers
from webapp.settings import CACHES
from webapp.ui import throttle

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough one"


@pytest.fixture(autouse=True)
def own_servers(broker: redis.Redis, valkey_url: str, settings: Any) -> None:
    """The broker of the tests, and its second database as the cache."""
    settings.BROKER_URL = valkey_url
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher"
    ]  # the real one takes a second
    location = valkey_url.removesuffix("/0") + "/1"
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location}
    }
    # Pages name their files as they are in the source tree: nothing was collected here.
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def root(client: Client) -> Client:
    """A superuser's browser."""
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    return client


@pytest.fixture
def staff() -> User:
    """Staff who may manage tokens and grants, but read nothing."""
    user = User.objects.create_user("clerk", password=PASSWORD, is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="access").exclude(codename="read_all_sources")
    )
    return user


# ---- log-in ----


def test_every_page_is_behind_the_log_in(client: Client) -> None:
    for path in ("/", "/line/x/", "/flower/", "/admin/"):
        response = client.get(path, follow=True)
        assert response.redirect_chain[-1][0].startswith("/login/?next=")
        assert b"Password" in response.content


def test_a_right_password_leads_to_where_one_wanted_to_go(client: Client, root: Client) -> None:
    fresh = Client()
    response = fresh.post(
        "/login/?next=/admin/", {"username": "root", "password": PASSWORD, "next": "/admin/"}
    )
    assert response.headers["Location"] == "/admin/"
    assert fresh.session.get("_auth_user_id")


def test_nobody_is_led_to_another_site(root: Client) -> None:
    data = {"username": "root", "password": PASSWORD, "next": "https://evil.example/"}
    assert Client().post("/login/", data).headers["Location"] == "/"


def test_guessing_is_slowed_per_account_and_address(root: Client) -> None:
    guess = {"username": "root", "password": "wrong"}
    for _ in range(throttle.PER_ACCOUNT):
        assert Client().post("/login/", guess).status_code == 200
    refused = Client().post("/login/", {"username": "ROOT", "password": PASSWORD})
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == str(throttle.WINDOW_SECONDS)
    elsewhere = Client(REMOTE_ADDR="192.0.2.7").post("/login/", {"username": "root", "password": PASSWORD})
    assert elsewhere.status_code == 302


def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(settings: Any, rf: Any) -> None:
    request = rf.get("/", headers={"x-forwarded-for": "203.0.113.9, 198.51.100.4"})
    assert throttle.address(request) == "127.0.0.1"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert throttle.address(request) == "198.51.100.4"


def test_people_log_in_while_the_cache_is_away(root: Client, settings: Any) -> None:
    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": away}
    assert Client().post("/login/", {"username": "root", "password": "wrong"}).status_code == 200
    assert Client().post("/login/", {"username": "root", "password": PASSWORD}).status_code == 302


def test_people_log_in_while_the_cache_hangs(
    root: Client, settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    launched = servers.valkey(tmp_path / "cache", servers.free_port(), broker=False)
    with servers.running(launched) as server, frozen(server.process.pid):
        settings.CACHES = {"default": CACHES["default"] | {"LOCATION": server.url}}
        client = Client()
        assert client.post("/login/", {"username": "root", "password": PASSWORD}).status_code == 302
        assert "_auth_user_id" in client.session, "it lies in the database"
    assert "log-in is not throttled, the cache is away" in caplog.text
    assert CACHES["default"]["OPTIONS"]["socket_timeout"] <= 1


def test_logging_out_is_a_post(root: Client) -> None:
    assert root.get("/logout/").status_code == 405
    assert root.post("/logout/").status_code == 302
    assert root.get("/").status_code == 302


# ---- headers ----


def test_no_page_allows_inline_code(root: Client) -> None:
    for path in ("/login/", "/admin/", "/admin/access/token/add/"):
        policy = root.get(path).headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy


def test_our_pages_have_no_inline_code_to_allow(root: Client) -> None:
    page = root.get("/login/").content.decode()
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", page)


def test_requests_are_counted_by_route_never_by_path(root: Client) -> None:
    for path in ("/line/abc/", "/nowhere/at/all", "/.env"):
        root.get(path)
    metrics = root.get("/metrics").content.decode()
    assert 'logboom_web_requests_total{method="GET",route="line",status="404"}' in metrics
    assert 'route="unmatched"' in metrics
    assert "nowhere" not in metrics


# ---- lines at the wrong door ----


@pytest.mark.parametrize("path", ["/logs", "/api/v1/logs"])
def test_lines_sent_to_the_web_hear_where_to_go(client: Client, path: str, settings: Any) -> None:
    settings.INGEST_PUBLIC_URL = "https://in.example.com"
    response = client.post(path, data=b"{}", content_type="application/json")
    assert response.status_code == 421
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "https://in.example.com/api/v1/logs" in response.json()["detail"]


# ---- tokens in the admin ----


def add_token(browser: Client, **given: Any) -> Any:
    return browser.post("/admin/access/token/add/", {"name": "till", "scope": "ingest", **given})


def test_a_token_is_shown_once(root: Client) -> None:
    source = Source.objects.create(name="shop")
    page = add_token(root, source=source.pk)
    value = re.search(r"lb_ingest_[a-z2-7]{38}", page.content.decode())
    assert value is not None
    assert "no-store" in page.headers["Cache-Control"]
    token = Token.objects.get(digest=directory.digest(value[0]))
    assert token.created_by is not None
    for path in ("/admin/access/token/", f"/admin/access/token/{token.pk}/change/", "/admin/"):
        assert value[0][20:] not in root.get(path).content.decode()
    assert not any(value[0][20:] in morsel.value for morsel in root.cookies.values())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "needs a source"),
        ({"scope": "read"}, "needs its sources named"),
        ({"scope": "admin", "all_sources": "on"}, "Only a read token"),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(root: Client, given: dict[str, str], sentence: str) -> None:
    assert sentence in add_token(root, **given).content.decode()
    assert not Token.objects.exists()


@pytest.mark.parametrize(
    "given",
    [{"scope": "admin"}, {"scope": "read", "all_sources": "on"}, {"scope": "read", "sources": "SHOP"}],
)
def test_nobody_hands_out_more_than_he_has(client: Client, staff: User, given: dict[str, Any]) -> None:
    shop = Source.objects.create(name="shop")
    client.force_login(staff)
    given = {name: shop.pk if value == "SHOP" else value for name, value in given.items()}
    assert add_token(client, **given).status_code == 200
    assert not Token.objects.exists()
    granted = client.post("/admin/access/grant/add/", {"user": staff.pk, "source": shop.pk})
    assert "You may not read shop yourself" in granted.content.decode()


# ---- Flower ----


class Flower(ThreadingHTTPServer):
    """Says what it was asked, and tries to leave a cookie."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.asked: list[str] = []


class Echo(BaseHTTPRequestHandler):
    server: Flower

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path} cookie={self.headers.get('Cookie')}")
        body = b"<b>flower</b>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "_xsrf=1")
        self.end_headers()
        self.wfile.write(body if self.command == "GET" else b"")

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def flower(settings: Any) -> Iterator[Flower]:
    server = Flower()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.FLOWER_URL = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_staff_see_flower_without_its_cookies_or_ours(root: Client, flower: Flower) -> None:
    response = root.get("/flower/task/a%20b?sort=name")
    assert response.content == b"<b>flower</b>"
    assert flower.asked == ["GET /flower/task/a%20b?sort=name cookie=None"]
    assert "_xsrf" not in response.cookies


def test_who_is_not_staff_does_not(client: Client, flower: Flower) -> None:
    client.force_login(User.objects.create_user("ann"))
    assert client.get("/flower/").status_code == 403
    assert flower.asked == []


@pytest.mark.parametrize("path", ["api/worker/shutdown/celery@a", "api/task/send-task/logs.store_group", ""])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_nothing_but_looking_gets_through(root: Client, flower: Flower, path: str, method: str) -> None:
    assert getattr(root, method)(f"/flower/{path}").status_code == 405
    assert flower.asked == []


def test_the_task_tables_question_goes_up_as_a_get(root: Client, flower: Flower) -> None:
    body = "draw=1&start=0&order%5B0%5D%5Bcolumn%5D=2"
    root.post("/flower/tasks/datatable", body, content_type="application/x-www-form-urlencoded")
    assert flower.asked == [f"GET /flower/tasks/datatable?{body} cookie=None"]


def test_a_path_cannot_leave_flowers_prefix_or_split_the_request(root: Client, flower: Flower) -> None:
    root.get("/flower/x%0d%0aHost:%20evil/..%2f..%2fapi")
    assert all(line.startswith("GET /flower/x%0D%0AHost") for line in flower.asked)


def test_flower_being_away_is_said(root: Client, settings: Any) -> None:
    settings.FLOWER_URL = "http://127.0.0.1:1"
    response = root.get("/flower/")
    assert response.status_code == 502
    assert b"FLOWER_URL" in response.content
