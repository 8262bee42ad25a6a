"""As much of Markdown as docs/runbooks uses, as HTML. Everything is escaped before anything is marked up.

Headings, paragraphs, lists of two levels, tables, fenced code, `code`, **bold** and links to other pages of
the folder. What belongs to an item behind an empty line is indented, and shown as a block of its own. What it
does not know is shown as it is written.
"""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

ITEM = re.compile(r"( *)(- |(\d+)\. )(.*)")
RULE = re.compile(r"\|[-| ]+\|")
CODE = re.compile(r"`([^`]+)`")
BOLD = re.compile(r"\*\*([^*]+)\*\*")
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
PAGE = re.compile(r"([a-z-]+)\.md")

Address = Callable[[str], str]  # of another page of the folder, by its name


def html(text: str, address: Address) -> SafeString:
    return mark_safe("\n".join(part for block in blocks(text) for part in rendered(block, address)))


def blocks(text: str) -> Iterator[list[str]]:
    """Parted by empty lines, but for those inside a fence, and where a list goes on behind such a block."""
    block: list[str] = []
    fenced = False
    for line in text.splitlines():
        fence = line.lstrip().startswith("```")
        if block and not fenced and (fence or begins_list(line, block)):
            yield block
            block = []
        if line.strip() or fenced:
            block.append(line)
        if block and ((not line.strip() and not fenced) or (fence and fenced)):
            yield block
            block = []
        fenced = fenced != fence
    if block:
        yield block


def begins_list(line: str, block: Sequence[str]) -> bool:
    goes_on = ITEM.fullmatch(block[0]) and not block[0].startswith(" ")
    return bool(ITEM.fullmatch(line)) and not line.startswith(" ") and not goes_on


def rendered(block: Sequence[str], address: Address) -> Iterator[str]:
    """What is indented belongs to the item before it."""
    if block[0].startswith(" "):
        yield '<div class="lb-of-item">'
        yield from rendered(textwrap.dedent("\n".join(block)).split("\n"), address)
        yield "</div>"
        return
    first = block[0]
    if first.startswith("```"):
        yield f"<pre><code>{escape(chr(10).join(block[1:-1]))}</code></pre>"
    elif first.startswith("#"):
        level = len(first) - len(first.lstrip("#"))
        yield f"<h{level}>{inline(first.lstrip('# '), address)}</h{level}>"
        if block[1:]:
            yield from rendered(block[1:], address)
    elif ITEM.match(first):
        yield from listed(block, address)
    elif first.startswith("|"):
        yield from table(block, address)
    else:
        yield f"<p>{inline(' '.join(block), address)}</p>"


def listed(block: Sequence[str], address: Address) -> Iterator[str]:
    items: list[tuple[bool, str | None, str]] = []  # whether of the second level, its number, its text
    for line in block:
        if found := ITEM.fullmatch(line):
            items.append((bool(found[1]), found[3], found[4]))
        else:
            inner, number, text = items.pop()
            items.append((inner, number, f"{text} {line.strip()}"))
    start = items[0][1]
    yield f'<ol start="{start}">' if start else "<ul>"
    within = False
    for at, (inner, _, text) in enumerate(items):
        if inner and not within:
            yield "<ul>"
        elif at:
            yield "</li></ul></li>" if within and not inner else "</li>"
        within = inner
        yield f"<li>{inline(text, address)}"
    yield "</li></ul></li>" if within else "</li>"
    yield "</ol>" if start else "</ul>"


def table(block: Sequence[str], address: Address) -> Iterator[str]:
    yield "<table>"
    for number, line in enumerate(line for line in block if not RULE.fullmatch(line)):
        cell = "td" if number else "th"
        cells = (inline(text.strip(), address) for text in line.strip("|").split(" | "))
        yield "<tr>" + "".join(f"<{cell}>{text}</{cell}>" for text in cells) + "</tr>"
    yield "</table>"


def inline(text: str, address: Address) -> str:
    """Code first: nothing inside it is marked up."""
    parts = CODE.split(text)
    return "".join(
        f"<code>{escape(part)}</code>" if number % 2 else spoken(part, address)
        for number, part in enumerate(parts)
    )


def spoken(text: str, address: Address) -> str:
    def link(found: re.Match[str]) -> str:
        page = PAGE.fullmatch(found[2])
        return f'<a href="{escape(address(page[1]))}">{found[1]}</a>' if page else found[1]

    return LINK.sub(link, BOLD.sub(r"<strong>\1</strong>", escape(text)))
