"""One digest over all files of an image, which two builds of one commit share.

An image's own id differs between builds, for its configuration says when each was made.
"""

from __future__ import annotations

import subprocess
import tarfile
from hashlib import sha256

from delivery.terminal.shell import output

# The engine puts these into every container for itself, and so changes the time of /etc.
OF_THE_ENGINE = ("dev", "proc", "sys", ".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf")
CHANGED_BY_IT = "etc"


def digest(image: str) -> str:
    """Return `sha256:` and the digest of every file's name, kind, mode, owner, time and bytes."""
    container = output("docker", "create", image, quiet=True).strip()
    total = sha256()
    try:
        command = ("docker", "export", container)
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as export,  # noqa: S603 -- no shell
            tarfile.open(fileobj=export.stdout, mode="r|") as archive,
        ):
            lines = [_line(archive, member) for member in archive if not _is_of_the_engine(member.name)]
        for line in sorted(lines):
            total.update(line)
    finally:
        output("docker", "rm", container, quiet=True)
    return f"sha256:{total.hexdigest()}"


def _line(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = archive.extractfile(member) if member.isreg() else None
    held = sha256(opened.read()).hexdigest() if opened else member.linkname
    facts = (member.name, member.type, oct(member.mode), member.uid, member.gid, int(member.mtime), held)
    return repr(facts).encode()


def _is_of_the_engine(name: str) -> bool:
    return name.startswith(tuple(f"{folder}/" for folder in OF_THE_ENGINE)) or name in (*OF_THE_ENGINE, CHANGED_BY_IT)
