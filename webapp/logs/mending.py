"""What to say about a query that does not parse: where, one sentence, and the corrected query if any.

A person reads these while typing, so each names the language's own way out instead of the parser's state.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from lark import Token
from lark.exceptions import UnexpectedInput, UnexpectedToken

from webapp.logs.tree import Place

Mend = Callable[[str], str | None]  # the whole text -> the whole corrected text

OPERATOR = re.compile(r"(?:AND|OR|NOT)(?=[\s()\"“”„]|$)")
DANGLING = re.compile(r"(?:^|(?<=[\s()]))(?:AND|OR|NOT)\s*$")
IN_FIELD = re.compile(r"[^\s()]:(?:\([^()]*)?$")


@dataclass(frozen=True, slots=True)
class Note:
    """An error or a warning about some characters of the query."""

    offset: int
    length: int
    message: str
    hint: str | None = None
    fix: str | None = None  # the whole corrected query


class QueryError(ValueError):
    """Permanent: this text is no query."""

    def __init__(self, note: Note) -> None:
        super().__init__(note.message)
        self.note = note


@dataclass(frozen=True, slots=True)
class Finding:
    """A note on its way up: the fix is made once the whole text is at hand."""

    place: Place
    message: str
    hint: str | None = None
    mend: Mend | None = None

    def fix(self, text: str) -> str | None:
        mended = self.mend(text) if self.mend else None
        return None if mended == text else mended

    def note(self, fix: str | None) -> Note:
        return Note(*self.place, self.message, self.hint, fix)


class Slip(Exception):
    """Raised inside the parser."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def swap(place: Place, replacement: str) -> Mend:
    """The characters at `place` replaced."""
    start, length = place
    return lambda text: text[:start] + replacement + text[start + length :]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# ---- what the grammar lets through ----


def no_value(token: Token, name: str) -> Finding:
    start, length = token.start_pos or 0, len(token)

    def closed(text: str) -> str | None:
        rest = text[start + length :].lstrip()
        if not rest or rest[0] in ")" or OPERATOR.match(rest):
            return None
        return text[: start + length] + rest

    hint = f"{name}:* finds the lines that have one; for the plain text write {quoted(str(token))}."
    return Finding((start, length), f"{name}: has nothing behind its colon.", hint, closed)


def gap(before: Place, after: Place) -> Finding:
    """Two values in field:( ) with only a space between them."""
    start = before[0] + before[1]
    return Finding(
        after,
        "Between the values of a list write OR or a comma.",
        mend=swap((start, after[0] - start), " OR "),
    )


def keyword_in_list(place: Place) -> Finding:
    return Finding(
        place,
        "A list inside field:( ) holds alternatives: write OR or a comma.",
        "For both at once repeat the field: field:a field:b. A value that is called so goes in quotes.",
    )


def hint(token: Token) -> Finding:
    """A word that means something else to many people."""
    place = token.start_pos or 0, len(token)
    if "*" in token:
        message = f"A bare word is plain text, so the * in {token} is an asterisk."
        return Finding(
            place,
            message,
            "A word is found anywhere in the message without it.",
            swap(place, token.strip("*")),
        )
    message = f'"{token}" is read as a word to find; the operator is {token.upper()}.'
    return Finding(place, message, mend=swap(place, token.upper()))


# ---- what the parser stumbles over ----


def explain(error: UnexpectedInput, text: str) -> Finding:
    """The parser's stumble in the language's own words."""
    at = len(text) if ended(error) else min(error.pos_in_stream or 0, len(text))
    for look in (lone_operator, open_quote, parenthesis, field_value):
        if finding := look(text, at):
            return finding
    place = (at, 1) if at < len(text) else (max(at - 1, 0), min(len(text), 1))
    return Finding(place, "This does not fit here.", "Put text that is not part of the language in quotes.")


def ended(error: UnexpectedInput) -> bool:
    return isinstance(error, UnexpectedToken) and error.token.type == "$END"


def lone_operator(text: str, at: int) -> Finding | None:
    """An operator that lacks an operand: the one just before the stumble, or the one stumbled over."""
    found = DANGLING.search(text[:at]) or OPERATOR.match(text, at)
    if not found:
        return None
    word = found[0].rstrip()
    place = (found.start(), len(word))

    def without(whole: str) -> str | None:
        before, after = whole[: place[0]].rstrip(), whole[sum(place) :].lstrip()
        between = "" if not before or before.endswith("(") or not after or after.startswith(")") else " "
        rest = before + between + after
        return rest if rest.strip("() ") else quoted(word)

    side = "something after it" if word == "NOT" else "something on both sides"
    return Finding(place, f"{word} wants {side}.", f"To find the word itself write {quoted(word)}.", without)


def open_quote(text: str, at: int) -> Finding | None:
    if at >= len(text) or text[at] not in '"“”„':
        return None
    close = '"' if text[at] == '"' else "”"
    return Finding((at, 1), "This quotation mark is never closed.", mend=lambda whole: whole.rstrip() + close)


def parenthesis(text: str, at: int) -> Finding | None:
    if at < len(text) and text[at] == ")":
        before = text[:at].rstrip()
        if before.endswith("("):
            return Finding(
                (len(before) - 1, at + 2 - len(before)), "There is nothing between these parentheses."
            )
        if text[:at].count("(") <= text[:at].count(")"):
            return Finding((at, 1), "Nothing opens this parenthesis.", mend=swap((at, 1), ""))
    if at >= len(text) and text.count("(") > text.count(")"):
        missing = ")" * (text.count("(") - text.count(")"))
        return Finding(
            (text.rindex("("), 1), "This parenthesis is never closed.", mend=lambda whole: whole + missing
        )
    return None


def field_value(text: str, at: int) -> Finding | None:
    """Inside a field's value: what stands there, up to the next space, is no value."""
    start = max(text.rfind(" ", 0, at), text.rfind("(", 0, at), text.rfind(":", 0, at)) + 1
    if at < len(text) and text[at] in "~":
        start = at
    opened = start if start < len(text) else at
    rest = re.match(r"[^\s()]*", text[opened:])
    word = rest[0] if rest else ""
    place = (opened, max(len(word), 1))
    if word.startswith("~"):
        return Finding(
            place,
            'A regular expression goes in quotes: field:~"…".',
            mend=swap(place, "~" + quoted(word[1:])),
        )
    found = re.search(r"[\[{][^\]}]*$", text[:at])
    if found:
        whole = re.match(r"[\[{][^\]}\s)]*", text[found.start() :])
        place = (found.start(), max(len(whole[0]) if whole else 0, 1))
        return Finding(
            place, "A range is written [a TO b], or {a TO b} without its ends.", "Quote it as text."
        )
    if re.search(r"(?:>=|<=|>|<)$", text[:at].rstrip()):
        return Finding((max(at - 1, 0), 1), "A comparison wants a value behind it.")
    return None
