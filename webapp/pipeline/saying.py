"""Numbers as a person reads them: ages, sizes, counts; and errors in a line."""

UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def age(ms: int) -> str:
    """Two seconds, or a minute, are as exact as anybody needs it."""
    seconds = ms // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86400} days"


def size(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    power = min((count.bit_length() - 1) // 10, len(UNITS))
    amount = count / 1024**power
    return f"{amount:.1f} {UNITS[power - 1]}" if amount < 10 else f"{amount:.0f} {UNITS[power - 1]}"


def number(count: int) -> str:
    return f"{count:,}"


def counted(count: int, noun: str) -> str:
    """One line, two lines."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number(count)} {noun if count == 1 else plural}"


def difference(lines: int) -> str:
    """What a difference of the ledger means."""
    return f"{counted(abs(lines), 'line')} {'missing' if lines > 0 else 'too many'}"


def wait(count: int) -> str:
    return f"{counted(count, 'line')} {'waits' if count == 1 else 'wait'}"


def plain(error: Exception) -> str:
    """One line without its full stop: a sentence is built around it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
