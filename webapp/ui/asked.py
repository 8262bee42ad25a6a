"""What the search page was asked for: its address, read and written."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

RANGES = {
    "15m": "Last 15 minutes",
    "1h": "Last hour",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "all": "All stored time",
    "custom": "From … to …",
}
ORDERS = {"desc": "Newest first", "asc": "Oldest first"}
DEFAULT_RANGE, DEFAULT_ORDER = "15m", "desc"


@dataclass(frozen=True)
class Asked:
    q: str = ""
    range: str = DEFAULT_RANGE
    start: str = ""  # with range=custom only
    end: str = ""
    order: str = DEFAULT_ORDER
    cursor: str = ""
    as_of: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Asked":
        """A start or an end without a range is a custom range: such an address is written by hand."""
        named = {name: str(given.get(name, "")).strip() for name in cls.__dataclass_fields__}
        chosen = named["range"] or ("custom" if named["start"] or named["end"] else DEFAULT_RANGE)
        named["range"] = chosen if chosen in RANGES else DEFAULT_RANGE
        named["order"] = named["order"] if named["order"] in ORDERS else DEFAULT_ORDER
        if named["range"] != "custom":
            named["start"] = named["end"] = ""
        return cls(**named)

    @property
    def bounds(self) -> tuple[str, str]:
        """Start and end as the search takes them; "" is open."""
        if self.range == "custom":
            return self.start, self.end
        return ("" if self.range == "all" else f"now-{self.range}"), ""

    def address(self, **changes: Any) -> str:
        """A link to the same search with something changed; what is at its default is left out."""
        default = asdict(Asked())
        changed = asdict(replace(self, **changes))
        if changed["range"] == "custom":
            default["range"] = None  # said, so that an empty custom range stays one
        return "?" + urlencode({name: value for name, value in changed.items() if value != default[name]})

    def anew(self, **changes: Any) -> str:
        """A link to another search: from its first page, at the present moment."""
        return self.address(cursor="", as_of="", **changes)

    def narrowed(self, clause: str) -> str:
        """The query with one clause more."""
        held = f"({self.q})" if " OR " in self.q else self.q
        return self.anew(q=f"{held} {clause}".strip())
