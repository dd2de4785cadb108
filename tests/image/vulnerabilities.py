"""A database of vulnerabilities for Trivy, made on the spot: nothing serves the real one to a test.

Its file is of bbolt's format (go.etcd.io/bbolt), its buckets are those of Trivy's own (aquasecurity/trivy-db).
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PAGE = 4096
META, FREE, LEAF = 0x04, 0x10, 0x02
IS_BUCKET = 0x01
Bucket = dict[str, Any]  # of buckets, and of what is written as JSON


def write(cache: Path, found: Mapping[tuple[str, str], str], *, mended: bool = True) -> dict[str, str]:
    """Write a database that knows a vulnerability of each (source, package), and return what makes Trivy use it.

    A source is `debian 13` or `pip::x`; each is mended in version 99, or, in Debian's, not at all. The values are
    severities.
    """
    buckets: Bucket = {"data-source": {}, "vulnerability": {}}
    for number, ((source, package), severity) in enumerate(found.items(), 1):
        name = f"CVE-2099-{number:04}"
        pip = source.startswith("pip::")
        advisory: dict[str, Any] = {"FixedVersion": "99" if mended else ""}
        if pip:
            advisory = {"VulnerableVersions": ["<99"], "PatchedVersions": ["99"]}
        buckets.setdefault(source, {}).setdefault(package, {})[name] = Json(advisory)
        buckets["data-source"][source] = Json({"ID": "ghsa" if pip else "debian", "Name": "A test", "URL": ""})
        buckets["vulnerability"][name] = Json({"Title": "It is made up", "Severity": severity})
    folder = cache / "db"
    folder.mkdir(parents=True)
    (folder / "trivy.db").write_bytes(_file(buckets))
    far = "2099-01-01T00:00:00Z"
    about = {"Version": 2, "NextUpdate": far, "UpdatedAt": far, "DownloadedAt": far}
    (folder / "metadata.json").write_text(json.dumps(about))
    return {"TRIVY_CACHE_DIR": str(cache), "TRIVY_SKIP_DB_UPDATE": "true"}


class Json(dict[str, Any]):
    """What is written as JSON, and is no bucket."""


def _file(buckets: Bucket) -> bytes:
    root = _leaf(buckets, page=3)
    root += bytes(-len(root) % PAGE)
    overflow = len(root) // PAGE - 1
    root = struct.pack("<QHHI", 3, LEAF, len(buckets), overflow) + root[16:]
    free = struct.pack("<QHHI", 2, FREE, 0, 0).ljust(PAGE, b"\0")
    return b"".join([_meta(0, 4 + overflow), _meta(1, 4 + overflow), free, root])


def _meta(page: int, pages: int) -> bytes:
    # Of the two, the one with the higher transaction counts.
    said = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, 3, 0, 2, pages, page)
    return (struct.pack("<QHHI", page, META, 0, 0) + said + struct.pack("<Q", _fnv1a(said))).ljust(PAGE, b"\0")


def _fnv1a(said: bytes) -> int:
    total = 0xCBF29CE484222325
    for byte in said:
        total = (total ^ byte) * 0x100000001B3 % 2**64
    return total


def _leaf(bucket: Bucket, page: int = 0) -> bytes:
    """Return a bucket as a page. Those in it are written inline: a header that names no page, and the page."""
    entries = []
    for key, value in sorted((name.encode(), value) for name, value in bucket.items()):
        if isinstance(value, Json):
            entries.append((0, key, json.dumps(value).encode()))
        else:
            entries.append((IS_BUCKET, key, struct.pack("<QQ", 0, 0) + _leaf(value)))
    heads, bodies = b"", b""
    for number, (flags, key, value) in enumerate(entries):
        # From this entry's head to its body, which lies behind all heads.
        position = 16 * (len(entries) - number) + len(bodies)
        heads += struct.pack("<IIII", flags, position, len(key), len(value))
        bodies += key + value
    return struct.pack("<QHHI", page, LEAF, len(entries), 0) + heads + bodies
