"""Tables of the measurements."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from .catalogues import LARGE, SIZES, SMALL

if TYPE_CHECKING:
    from .catalogues import Kind
    from .hits import Hits
    from .load import Target

NGINX = "nginx, the same bytes and headers"
EDGE = "Colophon through the edge"
COLOPHON = "Colophon"
UNASKED = "Colophon, each page for the first time"
DJANGO = "Django, minimal"


def throughput(targets: list[Target], how: str) -> str:
    """Return the pages per second of each server at each size. Ratios are of the same round, their median is shown."""
    rows = [["", *("pages/s", "of nginx", "bytes") * len(SIZES)]]
    found = {(target.name, target.size): target for target in targets}
    for name in (NGINX, EDGE, COLOPHON, UNASKED, DJANGO):
        row = [name]
        for size in SIZES:
            target = found[name, size]
            ratio = _ratio(target.samples, found[NGINX, size].samples)
            row += [f"{target.median:,.0f}", f"{ratio:.4f}", f"{target.bytes:,}"]
        rows.append(row)
    for ours, title in ((COLOPHON, "Colophon to Django"), (UNASKED, "the same, for the first time")):
        times = [f"{_ratio(found[ours, size].samples, found[DJANGO, size].samples):.1f} ×" for size in SIZES]
        rows.append([title, *(cell for ratio in times for cell in (ratio, "", ""))])
    title = f"Pages per second of the list page: {how}, a worker for each core, uncompressed"
    return f"{title}\n\n{_grouped(rows, [f'{size:,} books' for size in SIZES])}"


def hits(found: list[Hits], how: str) -> str:
    """Return how long a kept page takes on each server, while searches keep it busy."""
    rows = [["", "median", "p99", "searches/s"]]
    rows += [
        [of.name, f"{statistics.median(of.milliseconds):.1f}", f"{of.p99:.1f}", f"{of.misses:,.0f}"] for of in found
    ]
    return f"Milliseconds of a kept page while the site is busy: {how}\n\n{aligned(rows)}"


def latencies(kinds: list[Kind]) -> str:
    """Return the milliseconds of each kind of list at each size."""
    plain = kinds[0]
    title = (
        f"Milliseconds of one page of Colophon, one request at a time: median (95th percentile)\n"
        f"of {len(plain.first[LARGE])} first requests after a change of the catalogue, "
        f"and of {len(plain.repeated[LARGE])} later ones"
    )
    rows = [["books", *(f"{SMALL:,}", f"{LARGE:,}", "ratio") * 2]]
    rows += [[kind.name, *_compared(kind.first), *_compared(kind.repeated)] for kind in kinds]
    return f"{title}\n\n{_grouped(rows, ['first time', 'repeated'])}"


def _compared(samples: dict[int, list[float]]) -> list[str]:
    small, large = samples[SMALL], samples[LARGE]
    ratio = f"{statistics.median(large) / statistics.median(small):.1f}" if small and large else "n/a"
    return [_summary(small), _summary(large), ratio]


def _summary(samples: list[float]) -> str:
    if not samples:
        return "n/a"
    p95 = statistics.quantiles(samples, n=20, method="inclusive")[-1]
    return f"{statistics.median(samples):.1f} ({p95:.1f})"


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def _grouped(rows: list[list[str]], groups: list[str]) -> str:
    """Return rows as lines, below the names of the groups that the columns after the first fall into evenly."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    span = (len(widths) - 1) // len(groups)
    over = [sum(widths[start : start + span]) + 2 * (span - 1) for start in range(1, len(widths), span)]
    names = [" " * widths[0], *(f" {name} ".center(width, "─") for name, width in zip(groups, over, strict=True))]
    return "  ".join(names).rstrip() + "\n" + aligned(rows)


def aligned(rows: list[list[str]]) -> str:
    """Return rows as lines, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows)
    return "\n".join("  ".join(line).rstrip() for line in lines)
