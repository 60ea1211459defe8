"""Texts of strangers, made fit for a header, a line or a paragraph of ours."""

import unicodedata

ENCODED_WORD = "=?"
LONGEST_LINE = 200
LONGEST_SUBJECT = 69
"""What fits beside `Subject: ` on one line, and about what a phone shows."""

LONGEST_PARAGRAPH = 4_000

# They turn the reading direction of what follows, so that a name could rewrite the words around it.
_DIRECTION_OVERRIDES = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])


def line(text: str) -> str:
    """Return a text as one line without control characters, cut to LONGEST_LINE.

    It holds no encoded word (RFC 2047): the standard library decodes one that it finds in a header's text and
    writes the line ends in it as they are, so that `=?utf-8?q?=0D=0ABcc:...?=` would become a header.
    """
    return _cut(" ".join(_printable(text).split()).replace(ENCODED_WORD, "= ?"), LONGEST_LINE)


def paragraph(text: str) -> str:
    """Return a text without control characters other than line ends, cut to LONGEST_PARAGRAPH."""
    lines = (_printable(part).rstrip() for part in text.splitlines())
    return _cut("\n".join(lines).strip(), LONGEST_PARAGRAPH)


def subject(opening: str, what: str, when: str) -> str:
    """Return `opening: what, when` with `what` cut so that the whole is a LONGEST_SUBJECT at most."""
    return f"{opening}: {_cut(what, LONGEST_SUBJECT - len(opening) - len(when) - 4)}, {when}"


def _printable(text: str) -> str:
    if text.isprintable():  # almost always; what is taken out below never is
        return text
    return "".join(
        " " if unicodedata.category(character) in {"Cc", "Zl", "Zp"} else character
        for character in text.translate(_DIRECTION_OVERRIDES)
        if unicodedata.category(character) != "Cs"
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
