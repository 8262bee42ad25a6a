"""Tests of one value: a text, or a jsonb value of an attribute, as SQL that cannot fail on odd data.

An array passes if one of its scalars does. Numbers are numbers and fully numeric strings; a cast is only
reached where a pattern has said that it will succeed.
"""

import ipaddress
import json
import re
from collections.abc import Callable

from psycopg import sql

from webapp.logs.binding import SQL, Binder, both, either, like_pattern
from webapp.logs.tree import Between, Equals, Exists, Levels, Like, Network, Regex, Test

# The SQL twin of clauses.NUMBER. [0-9], for \d may mean every script's digits.
NUMERIC = r"^[+-]?([0-9]{1,100}(\.[0-9]{0,100})?|\.[0-9]{1,100})([eE][+-]?[0-9]{1,2})?$"
JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,100})?(?:[eE][+-]?[0-9]{1,2})?")
OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"{OCTET}(\.{OCTET}){{3}}"
HEX = "[0-9A-Fa-f]{1,4}"
# Every way to write an IPv6 address that a cast to inet takes, none that it refuses.
IPV6 = "|".join(
    [f"({HEX}:){{7}}{HEX}"]
    + [f"({HEX}:){{{left}}}(:{HEX}){{1,{7 - left}}}" for left in range(1, 7)]
    + [f"({HEX}:){{1,7}}:", f":((:{HEX}){{1,7}}|:)"]
    + [f"({HEX}:){{6}}{IPV4}", f"::({HEX}:){{0,5}}{IPV4}"]
    + [f"({HEX}:){{{left}}}:({HEX}:){{0,{5 - left}}}{IPV4}" for left in range(1, 6)]
)
ADDRESS = {4: f"^{IPV4}$", 6: f"^({IPV6})$"}

SCALARS = sql.SQL("('string', 'number', 'boolean')")


def text_test(bind: Binder, text: SQL, test: Test) -> SQL:
    """On a text that is never NULL where the field is there."""
    match test:
        case Equals(value):
            return sql.SQL("{} = {}").format(text, bind(value, "text"))
        case Like(parts):
            return sql.SQL("{} LIKE {}").format(text, bind(like_pattern(parts), "text"))
        case Regex(pattern):
            return sql.SQL("{} ~ {}").format(text, bind(pattern, "text"))
        case Network(cidr):
            return in_network(bind, text, cidr)
        case Between():
            return between(bind, text_number(bind, text), test)
        case Exists() | Levels():
            return sql.SQL("TRUE")


def in_network(bind: Binder, text: SQL, cidr: str) -> SQL:
    pattern = ADDRESS[ipaddress.ip_network(cidr).version]
    return sql.SQL("CASE WHEN {0} ~ {1} THEN {0}::inet <<= {2} END").format(
        text, bind(pattern, "text"), bind(cidr, "inet")
    )


def text_number(bind: Binder, text: SQL) -> SQL:
    return sql.SQL("CASE WHEN {0} ~ {1} THEN {0}::numeric END").format(text, bind(NUMERIC, "text"))


def between(bind: Binder, number: SQL, test: Between) -> SQL:
    parts: list[SQL] = []
    if test.low:
        sign = sql.SQL(">=") if test.low.inclusive else sql.SQL(">")
        parts.append(sql.SQL("{} {} {}").format(number, sign, bind(test.low.value, "numeric")))
    if test.high:
        sign = sql.SQL("<=") if test.high.inclusive else sql.SQL("<")
        parts.append(sql.SQL("{} {} {}").format(number, sign, bind(test.high.value, "numeric")))
    return both(parts)


# ---- attributes ----


def attribute(bind: Binder, name: str) -> SQL:
    return sql.SQL("(attributes -> {})").format(bind(name, "text"))


def attribute_test(bind: Binder, name: str, test: Test) -> SQL:
    value = attribute(bind, name)
    match test:
        case Exists() | Levels():
            return sql.SQL("jsonb_typeof({}) <> 'null'").format(value)
        case Equals():
            # @> is equality here, and membership where the value is an array.
            forms = [sql.SQL("{} @> {}").format(value, bind(form, "jsonb")) for form in json_forms(test)]
            return either(list(forms))
        case Between():
            return numeric_scalar(bind, value, test)
        case Like() | Regex() | Network():
            return any_scalar(value, lambda item: text_test(bind, scalar_text(item), test))


def json_forms(test: Equals) -> list[str]:
    """Unquoted 200 is the number and the string, "200" the string alone."""
    forms = [json.dumps(test.value, ensure_ascii=False)]
    if not test.quoted and (JSON_NUMBER.fullmatch(test.value) or test.value in ("true", "false")):
        forms.append(test.value)
    return forms


def any_scalar(value: SQL, holds: Callable[[SQL], SQL]) -> SQL:
    return sql.SQL(
        "CASE jsonb_typeof({value}) WHEN 'array' THEN EXISTS"
        " (SELECT FROM jsonb_array_elements({value}) AS item (v) WHERE {element}) ELSE {single} END"
    ).format(value=value, element=holds(sql.SQL("item.v")), single=holds(value))


def scalar_text(value: SQL) -> SQL:
    """NULL for an array, an object and null, which have no text of their own."""
    return sql.SQL("CASE WHEN jsonb_typeof({0}) IN {1} THEN {0} #>> '{{}}' END").format(value, SCALARS)


def numeric_scalar(bind: Binder, value: SQL, test: Between) -> SQL:
    """As any_scalar, but the type is asked once: numbers are the case that must be fast."""
    return sql.SQL(
        "CASE jsonb_typeof({value}) WHEN 'number' THEN {number} WHEN 'string' THEN {text}"
        " WHEN 'array' THEN"
        " EXISTS (SELECT FROM jsonb_array_elements({value}) AS item (v) WHERE {element}) END"
    ).format(
        value=value,
        number=between(bind, as_number(value), test),
        text=between(bind, text_number(bind, bare_text(value)), test),
        element=sql.SQL("CASE jsonb_typeof(item.v) WHEN 'number' THEN {} WHEN 'string' THEN {} END").format(
            between(bind, as_number(sql.SQL("item.v")), test),
            between(bind, text_number(bind, bare_text(sql.SQL("item.v"))), test),
        ),
    )


def as_number(value: SQL) -> SQL:
    return sql.SQL("{}::numeric").format(value)


def bare_text(value: SQL) -> SQL:
    return sql.SQL("({} #>> '{{}}')").format(value)
