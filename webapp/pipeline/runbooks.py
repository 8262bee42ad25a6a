"""docs/runbooks as pages of the admin: what to do is at hand where the trouble is shown, without a network.

For staff, like the rest. The pages need neither database nor broker to be read, but whoever reads them here
has logged in; the same files lie in the repository and in the image.
"""

from functools import cache

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from webapp.pipeline import markdown

FOLDER = settings.BASE_DIR / "docs" / "runbooks"


@cache
def titles() -> dict[str, str]:
    """By name. Read once: they change with the image."""
    return {path.stem: title_of(path.read_text()) for path in sorted(FOLDER.glob("*.md"))}


def title_of(text: str) -> str:
    return text.partition("\n")[0].lstrip("# ")


def runbooks(request: HttpRequest) -> HttpResponse:
    return shown(request, "Runbooks", {"titles": {n: t for n, t in titles().items() if n != "README"}})


def runbook(request: HttpRequest, name: str) -> HttpResponse:
    if name not in titles():
        raise Http404(f"There is no runbook {name!r}.")
    text = (FOLDER / f"{name}.md").read_text().partition("\n")[2]
    return shown(request, titles()[name], {"text": markdown.html(text, address)})


def address(name: str) -> str:
    return reverse("runbook", args=[name])


def shown(request: HttpRequest, title: str, more: dict[str, object]) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, **more}
    return render(request, "admin/pipeline/runbook.html", context)
