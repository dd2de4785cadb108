"""Covers of books: SVG drawings in the manner of mid-century paperbacks.

A cover depends only on its arguments, so it can be cached for ever. The width of text is estimated, since the fonts of
the visitor's device are unknown.
"""

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b
from html import escape
from typing import NamedTuple

SERIF = "'Iowan Old Style',Palatino,'Palatino Linotype',P052,Georgia,serif"
SANS = "'Avenir Next','Gill Sans','Segoe UI','Helvetica Neue',Arial,sans-serif"
MID = "middle"
LEADING = 1.16
TITLE_SIZES = (36, 34, 30, 26, 23, 20, 18, 16, 14, 12)
AUTHOR_SIZES = (15, 13.5, 12, 11)
SPACE = 0.28  # in ems, as are all estimated widths

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


class Palette(NamedTuple):
    """The colours of a cover. `ink` stands out from `ground`, and `dark` from `paper`, by 4.5:1 or more."""

    ground: str
    ink: str
    first: str
    second: str
    paper: str
    dark: str


class Box(NamedTuple):
    """A box for text in a colour of the palette; `down` is 0 for text at its top, 1 at its foot."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    font: str
    anchor: str = "start"
    down: float = 0.0


PALETTES = tuple(
    Palette(*colours.split())
    for colours in (
        "#7b2a20 #f7ecd6 #d98a4b #f0c987 #f7ecd6 #4a1710",
        "#1f3350 #f4ecd9 #c8553d #e8b04b #f4ecd9 #182842",
        "#2c4a3d #f3ecd6 #d9a441 #8fb08c #f3ecd6 #21382e",
        "#dba642 #2b2118 #8a2f22 #f7ecd6 #f9f1de #5b1d14",
        "#f1e7d1 #2a2723 #c4513a #2f5d62 #fbf6ea #2a2723",
        "#2b575c #f6eedd #e8b04b #9fc0b4 #f6eedd #1d4145",
        "#dbaea0 #3a1c22 #7a3145 #f6e6d6 #faf0e6 #5a2231",
        "#2c2b2d #f0e7d6 #b9a36b #c4513a #f0e7d6 #1f1e20",
        "#aec5cb #1b2c39 #1f3350 #f5f0e3 #f8f4ea #1f3350",
        "#4a2d49 #f4e8de #d98a4b #b98ab0 #f4e8de #3b2239",
    )
)


def _bands(p: Palette, bits: bytes) -> str:
    """Draw two bands of colour with a pale one between, and up to five dots."""
    count = bits[0] % 5 + 1
    dots = "".join(f'<circle cx="{131 - 11 * count + 22 * i}" cy="302" r="7"/>' for i in range(count))
    return f'<path fill="{p.paper}" d="M0 92h240v152H0z"/><g fill="{p.first}">{dots}</g>'


def _rings(p: Palette, bits: bytes) -> str:
    """Draw concentric rings."""
    at = f'cx="{60 + bits[0] % 130}" cy="{266 + bits[1] % 36}"'
    colours = (p.first, p.ground, p.second, p.ground, p.first)
    return "".join(f'<circle {at} r="{98 - 18 * i}" fill="{colour}"/>' for i, colour in enumerate(colours))


def _tiles(p: Palette, bits: bytes) -> str:
    """Draw quarter circles in different directions."""
    shapes = (
        "h60a60 60 0 0 1-60 60z",
        "m60 0v60a60 60 0 0 1-60-60z",
        "m60 60h-60a60 60 0 0 1 60-60z",
        "m0 60v-60a60 60 0 0 1 60 60z",
    )
    paths = ["", ""]
    for i, bit in enumerate(bits[:12]):
        paths[bit // 4 % 2] += f"M{i % 4 * 60} {180 + i // 4 * 60}{shapes[bit % 4]}"
    return f'<path fill="{p.first}" d="{paths[0]}"/><path fill="{p.second}" d="{paths[1]}"/>'


def _label(p: Palette, bits: bytes) -> str:
    """Draw a patterned binding with a paper label."""
    line = ("M{0} 0v360", "M0 {0}h240", "M{0} 0l-360 360")[bits[1] % 3]
    lines = "".join(line.format(at) for at in range(8, 600, 12 + bits[0] % 4 * 3))
    return (
        f'<path stroke="{p.first}" stroke-opacity=".55" d="{lines}"/>'
        f'<path fill="{p.paper}" d="M30 48h180v180H30z"/>'
        f'<path fill="none" stroke="{p.dark}" d="M36.5 54.5h167v167h-167zM105 180.5h30"/>'
    )


def _spines(p: Palette, bits: bytes) -> str:
    """Draw upright stripes, like books on a shelf."""
    art, x, colours = "", 0, (p.first, p.second, p.paper, p.dark)
    for i, bit in enumerate(bits):
        width, top = 8 + bit % 5 * 8, bit // 8 % 6 * 12
        art += f'<path fill="{colours[(i + bits[0]) % 4]}" d="M{x} {top}h{width}V190h-{width}z"/>'
        x += width
    return art


def _hills(p: Palette, bits: bytes) -> str:
    """Draw a sun or a moon over hills."""
    a, b, c, x, y, r = (bit % 60 for bit in bits[:6])
    return (
        f'<circle cx="{70 + 2 * x}" cy="{210 + y // 3}" r="{28 + r // 4}" fill="{p.second}"/>'
        f'<path fill="{p.first}" d="M0 {240 + a // 2}C60 {190 + b} 150 {290 - c} 240 {226 + c // 2}V360H0z"/>'
        f'<path fill="{p.dark}" d="M0 {290 - b // 3}C80 {330 - a} 150 {250 + b} 240 {300 - a // 3}V360H0z"/>'
    )


def _flower(p: Palette, bits: bytes) -> str:
    """Draw rules and a printer's flower."""
    turns = [360 * i / (5 + bits[0] % 4) for i in range(5 + bits[0] % 4)]
    petals = "".join(f'<ellipse cy="-19" rx="6" ry="13" transform="rotate({turn:g})"/>' for turn in turns)
    return (
        f'<path fill="{p.paper}" d="M14 14h212v332H14z"/>'
        f'<path fill="none" stroke="{p.dark}" d="M20.5 20.5h199v319h-199z"/>'
        f'<g fill="{p.first}" transform="translate(120 234)">{petals}<circle r="4"/></g>'
    )


COMPOSITIONS = (  # the drawing, the box for the title, the box for the author
    (_bands, Box(18, 102, 204, 132, "dark", SERIF, MID, 0.5), Box(24, 24, 192, 46, "ink", SANS, MID, 0.5)),
    (_rings, Box(20, 24, 200, 104, "ink", SERIF), Box(20, 132, 200, 30, "ink", SANS)),
    (_tiles, Box(20, 22, 200, 110, "ink", SANS), Box(20, 138, 200, 32, "ink", SANS)),
    (_label, Box(44, 62, 152, 112, "dark", SERIF, MID, 0.5), Box(44, 186, 152, 30, "dark", SERIF, MID, 0.5)),
    (_spines, Box(20, 206, 200, 104, "ink", SERIF), Box(20, 314, 200, 30, "ink", SANS, "start", 1)),
    (_hills, Box(20, 24, 200, 110, "ink", SERIF, MID), Box(20, 138, 200, 30, "ink", SANS, MID)),
    (_flower, Box(32, 42, 176, 142, "dark", SERIF, MID, 0.4), Box(32, 290, 176, 36, "dark", SERIF, MID, 1)),
)


@lru_cache(maxsize=4096)
def _advance(char: str) -> float:
    """Return the estimated width of a character, rounded up."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    if char in "iljtfrI.,:;'\u2019!|()[]-":
        return 0.36
    if unicodedata.east_asian_width(char) in "WF" or ord(char) > 0x2FFF or char in "mwMW—…":
        return 1.0
    return 0.74 if char.isupper() or ord(char) > 0x52F else 0.58


def _tokens(text: str) -> list[tuple[str, float, bool]]:
    """Return the pieces between which a line may break: (text, width, True with a space before)."""
    tokens = []
    for word in text.split():
        start, width, spaced = 0, 0.0, True
        for i, char in enumerate(word):
            advance = _advance(char)
            # A line may break between ideographs, and in a word that is too long for it; a mark stays with its letter.
            if advance and i > start and (ord(char) > 0x2FFF or width + advance > 11):
                tokens.append((word[start:i], width, spaced))
                start, width, spaced = i, 0.0, False
            width += advance
        tokens.append((word[start:], width, spaced))
    return tokens


def _wrap(tokens: list[tuple[str, float, bool]], room: float) -> list[tuple[str, float]]:
    """Return the lines of a width that the pieces fill, each with its own width."""
    lines: list[tuple[str, float]] = []
    for token, width, spaced in tokens:
        line, used = lines[-1] if lines else ("", room)
        used += width + SPACE * spaced
        if used > room:
            lines.append((token, width))
        else:
            lines[-1] = (line + " " * spaced + token, used)
    return lines


def _fit(text: str, box: Box, sizes: tuple[float, ...]) -> tuple[float, list[str]]:
    """Return the largest size at which text fits the box, and its lines, which are cut off if none does."""
    tokens = _tokens(text)
    widest = max((width for _, width, _ in tokens), default=0.0)
    area = sum(width for _, width, _ in tokens)
    lines: list[tuple[str, float]] = []
    most = 1
    for size in sizes:
        room, most = box.width / size, int(box.height / (size * LEADING))
        if size > sizes[-1] and (widest > room or area > room * most):
            continue
        lines = _wrap(tokens, room)
        even = _wrap(tokens, min(room, max(widest, 1.2 * area / max(1, len(lines)))))
        lines = even if len(even) == len(lines) else lines
        widths = [width for _, width in lines]
        # A short word alone on a line looks like a mistake; a smaller size often avoids it.
        if len(lines) <= most and (size <= 20 or min(widths, default=1) > 0.35 * max(widths, default=1)):
            return size, [line for line, _ in lines]
    return sizes[-1], [*(line for line, _ in lines[: most - 1]), lines[most - 1][0][:-2].rstrip(" ,.;:") + "…"]


def _set(text: str, box: Box, sizes: tuple[float, ...], palette: Palette) -> str:
    """Return the SVG of text in a box."""
    size, lines = _fit(text, box, sizes)
    x = box.x + box.width / 2 * (box.anchor == MID)
    y = box.y + (box.height - len(lines) * size * LEADING) * box.down + size * 0.92
    rows = "".join(
        f'<tspan x="{x:g}" y="{y + i * size * LEADING:.4g}">{escape(line, quote=False)}</tspan>'
        for i, line in enumerate(lines)
    )
    colour = getattr(palette, box.colour)
    style = f'font-family="{box.font}" font-size="{size:g}" fill="{colour}" text-anchor="{box.anchor}"'
    return f"<text {style}>{rows}</text>"


def draw(title: str, author: str, seed: str) -> str:
    """Return a book's cover as an SVG document of 240 by 360 units.

    `title` and `author` are plain text of any length and script; characters that XML cannot hold are dropped.
    `seed`, usually the book's slug, chooses composition and colours. Equal arguments give equal documents.
    It has presentation attributes only, so that it shows under any content security policy.
    """
    title, author = (" ".join(_FORBIDDEN.sub("", text).split()) for text in (title, author))
    bits = blake2b(seed.encode("utf-8", "replace"), digest_size=18).digest()
    palette = PALETTES[bits[16] % len(PALETTES)]
    draw_art, title_box, author_box = COMPOSITIONS[bits[17] % len(COMPOSITIONS)]
    name = escape(f"{title}, by {author}" if title and author else title or author, quote=False)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 360" width="240" height="360">'
        f'<title>{name}</title><path fill="{palette.ground}" d="M0 0h240v360H0z"/>{draw_art(palette, bits)}'
        f"{_set(title, title_box, TITLE_SIZES, palette)}"
        f"{_set(author, author_box, AUTHOR_SIZES, palette)}</svg>\n"
    )
