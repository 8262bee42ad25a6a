"""Parameters of a request: from the query string, or from the JSON object of a POST with the same names.

An unknown name is refused with the nearest known one: a misspelt filter that is ignored would answer another
question than the one asked.
"""

import difflib
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from webapp.api.problems import BadParams, complaint
from webapp.logs.asking import Ask
from webapp.logs.mending import Note

UNREADABLE = "The body is a JSON object with the names of the parameters."


def read(request: Request, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """The parameters by name, defaults filled in. Raises BadParams."""
    return checked(given_in(request, kind().fields), kind)


def checked(given: Mapping[str, Any], kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """The same for parameters at hand."""
    refuse_unknown(given, kind().fields)
    found = kind(data=given)
    if not found.is_valid():
        raise BadParams("bad_value", [*complaints(found.errors)])
    values: dict[str, Any] = found.validated_data
    return values


def given_in(request: Request, known: Mapping[str, Any]) -> dict[str, Any]:
    if request.method in ("GET", "HEAD"):
        query = request.query_params
        return {name: one_or_all(name, query.getlist(name), known) for name in query}
    if request.query_params:
        message = f"A {request.method} takes parameters in its body."
        raise refused("bad_value", next(iter(request.query_params)), message)
    body = request.data
    if not isinstance(body, dict):
        raise refused("bad_value", "", UNREADABLE)
    return {
        name: [value] if listed(known.get(name)) and not isinstance(value, list) else value
        for name, value in body.items()
        if value is not None
    }


def one_or_all(name: str, values: list[str], known: Mapping[str, Any]) -> Any:
    if listed(known.get(name)):
        return values
    if len(values) > 1 and name in known:
        raise refused("bad_value", name, f"{name} is given {len(values)} times; it takes one value.")
    return values[0]


def listed(field: Any) -> bool:
    return isinstance(field, serializers.ListField)


def refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise BadParams("unknown_param", [complaint(name, unknown_note(name, known)) for name in unknown])


def unknown_note(name: str, known: Mapping[str, Any]) -> Note:
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."
    return Note(0, len(name), f"There is no parameter {name}.", hint, near[0] if near else None)


def complaints(errors: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [complaint(name, Note(0, 0, first(found))) for name, found in errors.items()]


def first(found: Any) -> str:
    while isinstance(found, list | dict):
        found = next(iter(found.values() if isinstance(found, dict) else found), "")
    return str(found)


def refused(code: str, param: str, message: str) -> BadParams:
    return BadParams(code, [complaint(param, Note(0, 0, message))])


def ask(values: Mapping[str, Any]) -> Ask:
    """What every endpoint that reads lines has in common."""
    return Ask(
        q=values["q"],
        start=values["start"],
        end=values["end"],
        tz=values["tz"],
        sources=tuple(values["source"]),
        services=tuple(values["service"]),
        severities=tuple(values["severity"]),
        as_of=values["as_of"],
        timeout_ms=values["timeout_ms"],
    )
