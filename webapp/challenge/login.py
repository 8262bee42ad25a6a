"""A person's session instead of a token for reading: the log-in page's form, as a browser would send it."""

import contextlib
import re
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from ingest.client import BROKEN, ClientError, Connection, Target

PAGE = "/login/"
HIDDEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')


class NoSession(ClientError):
    """Permanent: the log-in was refused, or there is no log-in page."""


def session(web_url: str, user: str, password: str) -> dict[str, str]:
    """Headers that read as this person does. The empty Authorization keeps a token from being sent."""
    try:
        with contextlib.closing(Connection(Target(web_url, ""))) as connection:
            return logged_in(connection, web_url, user, password)
    except BROKEN as error:
        raise NoSession(f"{web_url} does not answer: {error or type(error).__name__}") from error


def logged_in(connection: Connection, web_url: str, user: str, password: str) -> dict[str, str]:
    cookies: SimpleCookie = SimpleCookie()
    page = connection.send("GET", PAGE, None, {"Authorization": ""})
    hidden = HIDDEN.search(page.read())
    for given in page.headers.get_all("Set-Cookie") or ():
        cookies.load(given)
    if page.status != 200 or not hidden:
        raise NoSession(f"{web_url}{PAGE} is no log-in page ({page.status}).")
    form = {"csrfmiddlewaretoken": hidden[1].decode(), "username": user, "password": password}
    head = {
        "Authorization": "", "Cookie": written(cookies), "Referer": web_url + PAGE, "Origin": web_url,
        "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    answer = connection.send("POST", PAGE, urlencode(form).encode(), head)
    answer.read()
    for given in answer.headers.get_all("Set-Cookie") or ():
        cookies.load(given)
    if answer.status != 302:
        raise NoSession(f"{web_url} refuses the log-in of {user} ({answer.status}).")
    return {"Authorization": "", "Cookie": written(cookies)}


def written(cookies: SimpleCookie) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
