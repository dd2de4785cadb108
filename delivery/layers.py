"""The layers of an image, by which two images are known to hold the same up to some point."""

from __future__ import annotations

import json
from hashlib import sha256

from .shell import output


def of(image: str) -> list[str]:
    """Return the digests of an image's layers, the lowest first."""
    found: list[str] = json.loads(
        output("docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", image, quiet=True)
    )
    return found


def digest(image: str) -> str:
    """Return `sha256:` and the digest of all its layers."""
    return f"sha256:{sha256(' '.join(of(image)).encode()).hexdigest()}"
