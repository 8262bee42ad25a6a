"""Values on their way into SQL: always a named parameter, never text of the statement."""

from typing import Any, LiteralString

from psycopg import sql

SQL = sql.SQL | sql.Composed


class Binder:
    """Collects the parameters of one statement."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def __call__(self, value: Any, kind: LiteralString) -> sql.Composed:
        """A placeholder of this SQL type. Equal values share one, so a repeated expression stays one."""
        for name, known in self.values.items():
            if known is value or (type(known) is type(value) and known == value):
                return cast(name, kind)
        name = f"v{len(self.values)}"
        self.values[name] = value
        return cast(name, kind)


def cast(name: str, kind: LiteralString) -> sql.Composed:
    return sql.SQL("{}::" + kind).format(sql.Placeholder(name))


def either(parts: list[SQL]) -> SQL:
    return joined(" OR ", parts, sql.SQL("FALSE"))


def both(parts: list[SQL]) -> SQL:
    return joined(" AND ", parts, sql.SQL("TRUE"))


def joined(word: LiteralString, parts: list[SQL], empty: SQL) -> SQL:
    if not parts:
        return empty
    return parts[0] if len(parts) == 1 else sql.SQL("({})").format(sql.SQL(word).join(parts))


def like_pattern(parts: tuple[str | bool | None, ...]) -> str:
    """A LIKE pattern: None is any run, True one character, text is itself."""
    return "".join("%" if part is None else "_" if part is True else escaped(str(part)) for part in parts)


def containing(parts: tuple[str | bool | None, ...]) -> str:
    """The same, anywhere in the text."""
    pattern = like_pattern(parts)
    return pattern if pattern == "%" else f"%{pattern.removeprefix('%')}".removesuffix("%") + "%"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
