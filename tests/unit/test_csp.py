"""The content policy: strict everywhere, and what is allowed inline is the very text that is there."""

import base64
import hashlib
import re
from pathlib import Path

import drf_spectacular
import flower
import pytest

from webapp.ui.csp import policy_for

FLOWER = Path(flower.__file__).parent / "templates"
VIEWER = Path(drf_spectacular.__file__).parent / "templates" / "drf_spectacular" / "swagger_ui.html"


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("path", ["/", "/flower/", "/api/docs/", "/admin/", "/api/v1/logs/search"])
def test_nothing_inline_is_allowed_wholesale(path: str) -> None:
    assert "default-src 'self'" in policy_for(path)
    assert "unsafe" not in policy_for(path)


def test_flowers_only_inline_script_is_allowed_on_flowers_pages() -> None:
    pages = "".join(page.read_text() for page in FLOWER.glob("*.html"))
    [script] = re.findall(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", pages, re.S)
    rendered = re.sub(r"(?m)^ +", "", script.replace("{{ autorefresh }}", "1"))  # tornado drops indents
    assert hashed(rendered) in policy_for("/flower/tasks")
    assert hashed(rendered) not in policy_for("/")


def test_the_viewers_only_inline_style_is_allowed_on_its_page() -> None:
    [style] = re.findall(r"<style>(.*?)</style>", VIEWER.read_text(), re.S)
    assert hashed(style) in policy_for("/api/docs/")
    assert hashed(style) not in policy_for("/admin/")
