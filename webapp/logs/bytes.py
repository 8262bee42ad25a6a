"""Bytes that nobody vouches for, made harmless to look at: as text without controls, and as a hex dump."""

WIDTH = 16
TEXT_SHARE = 0.9  # with fewer printable characters than this, bytes are shown as hexadecimal


def readable(raw: bytes) -> str:
    """As text without a single control character, or as hexadecimal where that says more."""
    text = raw.decode("utf-8", "backslashreplace")
    if sum(map(shows, text)) < TEXT_SHARE * len(text) or text.count("\\x") * 4 > len(text) / 2:
        return raw.hex(" ", 2)
    return printable(raw)


def printable(raw: bytes) -> str:
    """Every character that shows, the others spelt out."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(character if shows(character) else spelt(character) for character in text)


def shows(character: str) -> bool:
    """Not a control, not a mark that reverses the direction of writing."""
    return character == "\n" or character.isprintable()


def spelt(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def dump(raw: bytes) -> str:
    """Offset, bytes, and what of them is ASCII: sixteen a row."""
    return "\n".join(row(raw, at) for at in range(0, len(raw), WIDTH))


def row(raw: bytes, at: int) -> str:
    part = raw[at : at + WIDTH]
    ascii_part = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
    return f"{at:08x}  {part.hex(' '):<{3 * WIDTH - 1}}  |{ascii_part}|"
