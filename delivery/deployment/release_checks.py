"""The checks of what is to be released: its branch, its commit, its image and the image's scan."""

from __future__ import annotations

import os

import click

from delivery.aws.client import AwsError
from delivery.aws.ecs.service import is_image, not_an_image
from delivery.deployment.candidate import No, Wanted, Warn
from delivery.release import checkout, git_history, trivy
from delivery.release.git_history import Order
from delivery.release.image import described
from delivery.settings import BRANCH


def branch(wanted: Wanted) -> str:
    if wanted.back:
        return "a rollback goes to a commit that was released before"
    if os.environ.get("CI"):
        branch = os.environ.get("CI_COMMIT_BRANCH")
        if branch != BRANCH:
            raise No(
                f"This pipeline is of {branch or 'no branch'}, and only {BRANCH} is released.",
                f"nothing here: merge into {BRANCH}, whose pipeline deploys.",
            )
        if os.environ.get("CI_COMMIT_REF_PROTECTED") != "true":
            raise No(
                f"{BRANCH} is not protected.", "GitLab's settings: Repository, Protected branches (ecs/README.md)."
            )
        return f"{BRANCH}, protected"
    here = checkout.read(wanted.situation.place.root)
    if here.ref != BRANCH:
        raise No(f"{here.ref or 'No branch'} is checked out, and only {BRANCH} is released.", f"`git switch {BRANCH}`.")
    if git_history.order(here.root, wanted.commit, here.commit) not in (Order.SAME, Order.OLDER):
        raise No(f"{wanted.commit[:12]} is not on {BRANCH}.", f"merge it into {BRANCH}, or name another commit.")
    return f"{BRANCH}, by hand"


def commit(wanted: Wanted) -> str:
    if wanted.situation.idle:
        return f"{wanted.commit[:12]}, the first to run"
    running = wanted.situation.commit
    if running is None:
        raise Warn("the running image bears no commit in the registry: nobody can say which is newer")
    if wanted.back or wanted.allow_older:
        return f"{wanted.commit[:12]} instead of {running[:12]}, older or not"
    match git_history.order(wanted.situation.place.root, wanted.commit, running):
        case Order.SAME:
            return f"{wanted.commit[:12]}, which runs already"
        case Order.NEWER:
            return f"{wanted.commit[:12]}, newer than the running {running[:12]}"
        case Order.OLDER:
            raise No(
                f"{wanted.commit[:12]} is older than {running[:12]}, which runs: a newer pipeline was faster.",
                "nothing, if that is so; to go back on purpose, `make rollback`, or --allow-older.",
            )
        case Order.APART:
            raise No(
                f"{wanted.commit[:12]} and the running {running[:12]} lie on two branches: deploying one would undo "
                "the other.",
                f"merge the running commit into {BRANCH} first; --allow-older does without.",
            )


def image(wanted: Wanted) -> str:
    if wanted.image is None:
        raise No(
            f"The registry has no image of {wanted.commit[:12]}.",
            "push it first: `make build scan-image push`, or the pipeline's build job.",
        )
    if wanted.expected not in (None, wanted.digest):
        raise No(
            f"{wanted.commit[:12]} is {wanted.digest} in the registry, and not {wanted.expected}, which was pushed.",
            "nothing that is checked in: somebody put another image in its place.",
        )
    # What was released before can be gone back to, whatever made it.
    if not (wanted.back or is_image(wanted.image)):
        cause = not_an_image(wanted.commit, wanted.image)
        raise No(cause.sentence, cause.change)
    return wanted.digest


def scan(wanted: Wanted) -> str:
    if wanted.image is None:
        raise No("not scanned: it is not there")
    place = wanted.situation.place
    found = {}
    for _ in place.waiting.looks(place.settings.scan):
        try:
            found = place.aws.call(
                "ecr",
                "describe-image-scan-findings",
                "--repository-name",
                place.names.project,
                "--image-id",
                f"imageDigest={wanted.digest}",
            )
        except AwsError as error:
            if error.error != "ScanNotFoundException":
                raise
            status = "not scanned"
            break
        status = found["imageScanStatus"]["status"]
        if status not in ("PENDING", "IN_PROGRESS"):
            break
    if status not in ("COMPLETE", "ACTIVE"):
        return _second_opinion(wanted, status)
    granted = {exception["id"] for exception in trivy.granted(trivy.EXCEPTIONS)}
    findings = found.get("imageScanFindings", {})
    critical = {each["name"] for each in findings.get("findings", []) if each["severity"] == "CRITICAL"} | {
        each.get("title", "a finding").partition(" ")[0]
        for each in findings.get("enhancedFindings", [])
        if each.get("severity") == "CRITICAL"
    }
    if critical - granted:
        raise No(
            f"The registry's scan found {', '.join(sorted(critical - granted))}, of critical severity.",
            "src/requirements.txt or the base in src/Dockerfile; or grant it for a time in delivery/exceptions.yaml.",
        )
    counts = findings.get("findingSeverityCounts", {})
    return ", ".join(f"{counts[kind]} {kind.lower()}" for kind in sorted(counts)) or "nothing found"


def _second_opinion(wanted: Wanted, status: str) -> str:
    """Do without the registry's scan, to go back or where `make scan-image` passed this image. Raises No and Warn."""
    if wanted.back:
        raise Warn(f"the registry does not say ({status}); it was released before")
    try:
        built = described(wanted.situation.place.root)
    except click.ClickException:
        built = {}
    if (built.get("digest"), built.get("scan")) == (wanted.digest, "passed"):
        raise Warn(f"the registry does not say ({status}), but `make scan-image` has passed this very image")
    raise No(
        f"Nobody says that the image is free of critical findings: the registry's scan is {status}, and no "
        "`make scan-image` that passed it is known here.",
        "run this again when the registry has scanned it; or have here the build/image.json of a job in which "
        "`make scan-image` passed it.",
    )
