"""Values that the chart's schema allows, made at random by Hypothesis.

Only what values.schema.json makes use of is understood; a word of JSON Schema beyond that is an error here.
"""

import functools
import json
import math
from typing import Any

from hypothesis import strategies as st

from tests.chart import charts

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t"), max_size=12)
ANYTHING = st.recursive(
    st.booleans() | st.integers(0, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
KNOWN = {
    *("type", "properties", "required", "additionalProperties", "propertyNames", "items", "minItems", "enum"),
    *("pattern", "minLength", "minimum", "maximum", "$ref", "description", "title", "$schema", "$defs"),
}
FEW = 3  # of a dozen parts of an object, so that what goes wrong can be read


@functools.cache
def schema() -> charts.Object:
    found: charts.Object = json.loads((charts.CHART / "values.schema.json").read_text())
    return found


def values() -> st.SearchStrategy[charts.Object]:
    return of(schema())


def of(wanted: charts.Object) -> st.SearchStrategy[Any]:
    assert wanted.keys() <= KNOWN, f"this generator does not know {wanted.keys() - KNOWN}"
    if "$ref" in wanted:
        return of(schema()["$defs"][wanted["$ref"].rsplit("/", 1)[-1]])
    if "enum" in wanted:
        return st.sampled_from(wanted["enum"])
    if "type" not in wanted:
        return ANYTHING
    kinds = wanted["type"]
    return st.one_of([of_type(kind, wanted) for kind in ([kinds] if isinstance(kinds, str) else kinds)])


def of_type(kind: str, wanted: charts.Object) -> st.SearchStrategy[Any]:
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer" | "number":
            return st.integers(math.ceil(wanted.get("minimum", 0)), wanted.get("maximum", 10**6))
        case "string" if "pattern" in wanted:
            return st.from_regex(wanted["pattern"], fullmatch=True, alphabet=st.characters(codec="ascii"))
        case "string":
            return TEXT.filter(lambda text: len(text) >= wanted.get("minLength", 0))
        case "array":
            return st.lists(of(wanted.get("items", {})), min_size=wanted.get("minItems", 0), max_size=2)
    assert kind == "object", kind
    return of_object(wanted)


@st.composite
def of_object(draw: st.DrawFn, wanted: charts.Object) -> charts.Object:
    told = wanted.get("properties", {})
    names = draw(st.lists(st.sampled_from(sorted(told)), max_size=FEW, unique=True)) if told else []
    made = {name: draw(of(told.get(name, {}))) for name in {*names, *wanted.get("required", [])}}
    more = wanted.get("additionalProperties", True)
    if more is False:
        return made
    name = of({"type": "string", **wanted.get("propertyNames", {})})
    return made | draw(st.dictionaries(name, ANYTHING if more is True else of(more), max_size=2))
