"""The common subset of regular expressions: read by us, handed to PostgreSQL in its own dialect.

Expressions differ between engines where nobody looks (`\\b` never matches in PostgreSQL, which writes `\\y`),
so only what means the same everywhere is let through: literals, `.`, classes, groups, `|`, `* + ? {m,n}` and
their lazy forms, `^ $` (of the whole text), `\\b \\B \\w \\W` (letters and digits of every script),
`\\d \\D \\s \\S` (ASCII), `\\n \\t \\r`, `(?:…)`, and `(?i)` in front. Everything else is refused with its
offset. No back reference: matching stays linear.
"""

import re

SUBSET = (
    "A common subset is understood: . [a-z] ( ) (?: ) | * + ? {m,n} ^ $ \\b \\d \\w \\s and (?i) in front."
)
MAX_LENGTH = 1000
MAX_REPEAT = 255  # PostgreSQL's own bound for one {m,n}
MAX_COPIES = 2000  # nested counts multiply: each copy costs the matcher's compiler memory
MAX_GROUPS = 30

CLASSES = {
    "d": ("0-9", False),
    "D": ("0-9", True),
    "w": ("[:alnum:]_", False),
    "W": ("[:alnum:]_", True),
    "s": (" \\t\\n\\r\\f\\v", False),
    "S": (" \\t\\n\\r\\f\\v", True),
}
ANY = "[^\\n]"  # PostgreSQL's own dot does not stop at a line's end; ^ and $ are the text's ends in both
CONTROLS = frozenset("ntrfv")
BOUNDARIES = {"b": "\\y", "B": "\\Y"}
META = frozenset("\\^$.[]|()?*+{}")
COUNT = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{1,4})?)?\}")


class BadRegex(ValueError):
    """Permanent: outside the subset."""

    def __init__(self, message: str, offset: int, length: int = 1) -> None:
        super().__init__(message)
        self.offset = offset
        self.length = length


def translate(source: str) -> str:
    """The expression for PostgreSQL. Raises BadRegex."""
    if len(source) > MAX_LENGTH:
        raise BadRegex(f"A regular expression has at most {MAX_LENGTH} characters.", MAX_LENGTH)
    if not source:
        raise BadRegex("An empty regular expression finds everything: leave it out.", 0)
    return Reader(source).whole()


class Reader:
    """One pass from left to right: what has been written is always valid for PostgreSQL."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.groups = 0

    def whole(self) -> str:
        options = "(?i)" if self.source.startswith("(?i)") else ""
        self.at = len(options)
        body, _ = self.alternatives()
        if self.at < len(self.source):
            raise BadRegex("Nothing opens this parenthesis.", self.at)
        return options + body

    def alternatives(self) -> tuple[str, int]:
        """The translation, and how many copies of its parts the counts in it ask for."""
        branches, copies = [], 0
        while True:
            branch, count = self.sequence()
            branches.append(branch)
            copies += count
            if self.peek() != "|":
                return "|".join(branches), copies
            self.at += 1

    def sequence(self) -> tuple[str, int]:
        written, copies = "", 0
        while self.peek() not in ("", "|", ")"):
            atom, count, repeatable = self.atom()
            repeat, times = self.repeat(repeatable)
            written += atom + repeat
            copies += count * times
            if copies > MAX_COPIES:
                raise BadRegex("The counts multiply to more than the matcher may hold.", self.at - 1)
        return written or "(?:)", max(copies, 1)

    def peek(self) -> str:
        return self.source[self.at : self.at + 1]

    def atom(self) -> tuple[str, int, bool]:
        start, character = self.at, self.peek()
        if character == "(":
            return (*self.group(), True)
        if character == "[":
            return self.bracket(), 1, True
        if character == "\\":
            return self.escape()
        self.at += 1
        if character in "^$":
            return character, 1, False
        if character in "*+?{":
            raise BadRegex(f"{character} has nothing to repeat; a literal is \\{character}.", start)
        return (ANY if character == "." else literal(character)), 1, True

    def group(self) -> tuple[str, int]:
        start = self.at
        self.at += 1
        if self.source.startswith("?:", self.at):
            self.at += 2
        elif self.peek() == "?":
            raise BadRegex("Only (?:…) is understood, and (?i) in front.", start, 3)
        self.groups += 1
        if self.groups > MAX_GROUPS:
            raise BadRegex(f"A regular expression has at most {MAX_GROUPS} groups.", start)
        body, copies = self.alternatives()
        if self.peek() != ")":
            raise BadRegex("This parenthesis is never closed.", start)
        self.at += 1
        return f"(?:{body})", copies

    def escape(self) -> tuple[str, int, bool]:
        start, letter = self.at, self.source[self.at + 1 : self.at + 2]
        self.at += 2
        if letter in BOUNDARIES:
            return BOUNDARIES[letter], 1, False
        if letter in CLASSES:
            inside, negated = CLASSES[letter]
            return f"[{'^' if negated else ''}{inside}]", 1, True
        return self.escaped(start, letter), 1, True

    def escaped(self, start: int, letter: str) -> str:
        if letter in CONTROLS and letter:
            return f"\\{letter}"
        if letter and not (letter.isalnum() and letter.isascii()):
            return literal(letter)
        raise BadRegex(f"\\{letter} is not understood.", start, 2)

    def bracket(self) -> str:
        start = self.at
        self.at += 1
        negated = self.peek() == "^"
        self.at += negated
        written, first = "", True
        while first or self.peek() != "]":
            if not self.peek():
                raise BadRegex("This bracket is never closed.", start)
            written += self.member(start)
            first = False
        self.at += 1
        return f"[{'^' if negated else ''}{written}]"

    def member(self, start: int) -> str:
        low, single = self.character(start)
        if not single or self.peek() != "-" or self.source[self.at + 1 : self.at + 2] in ("]", ""):
            return low
        self.at += 1
        high, single = self.character(start)
        if not single or plain(low) > plain(high):
            raise BadRegex("This range runs backwards or ends in a class.", start, self.at - start)
        return f"{low}-{high}"

    def character(self, start: int) -> tuple[str, bool]:
        """One member of a bracket; False where it is a class, which cannot begin a range."""
        at, character = self.at, self.peek()
        if not character:
            raise BadRegex("This bracket is never closed.", start)
        self.at += 1
        if character == "[" and self.peek() in (":", ".", "="):
            raise BadRegex("Named classes are not understood: write the characters.", at, 2)
        if character != "\\":
            return (f"\\{character}" if character in "[]^-" else character), True
        letter = self.peek()
        self.at += 1
        if letter in CLASSES and letter:
            inside, negated = CLASSES[letter]
            if negated:
                raise BadRegex(f"\\{letter} cannot stand in a bracket.", at, 2)
            return inside, False
        written = self.escaped(at, letter)
        return (written if len(written) > 1 or letter not in "-" else f"\\{letter}"), True

    def repeat(self, repeatable: bool) -> tuple[str, int]:
        start, character = self.at, self.peek()
        if character not in ("*", "+", "?", "{") or not character:
            return "", 1
        if not repeatable:
            raise BadRegex("An anchor cannot be repeated.", start)
        written, times = (character, 1) if character != "{" else self.count()
        self.at += len(written)
        if self.peek() == "?":  # lazy: no difference to whether it matches
            self.at += 1
        if self.peek() in ("*", "+", "?", "{") and self.peek():
            raise BadRegex("A repetition cannot be repeated.", self.at)
        return written, times

    def count(self) -> tuple[str, int]:
        found = COUNT.match(self.source, self.at)
        if not found:
            raise BadRegex("A count is written {m}, {m,} or {m,n}; a literal brace is \\{.", self.at)
        low, high = int(found[1]), int(found[3] or found[1])
        if low > high or high > MAX_REPEAT:
            raise BadRegex(f"A count runs upwards, to {MAX_REPEAT} at most.", self.at, len(found[0]))
        return found[0], max(high, 1)


def literal(character: str) -> str:
    return f"\\{character}" if character in META else character


def plain(written: str) -> str:
    """For comparing the ends of a range."""
    return {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\f": "\f", "\\v": "\v"}.get(written, written[-1])
