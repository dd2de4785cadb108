"""The checks of the release: its branch, its commit and its image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.deployment.errors import Doubt, Refusal
from delivery.release import checkout, git_history
from delivery.release.git_history import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from delivery.deployment.seam import Candidate


def branch(candidate: Candidate) -> str:
    """Check that the commit is of the released branch, and that only some may change that branch."""
    released, pipeline = candidate.branch, candidate.pipeline
    if candidate.rollback:
        return "it was released before"
    if pipeline.automatic:
        if pipeline.branch != released:
            raise Refusal(
                f"This pipeline runs for {pipeline.branch or 'no branch'}, and only {released} is released.",
                f"merge into {released}, whose pipeline deploys.",
            )
        if not pipeline.protected:
            raise Refusal(f"{released} is not protected.", pipeline.protect)
        return f"{released}, protected"
    here = checkout.read(candidate.root)
    if here.ref != released:
        raise Refusal(
            f"{here.ref or 'No branch'} is checked out, and only {released} is released.", f"`git switch {released}`."
        )
    if git_history.order(here.root, candidate.commit, here.commit) not in (Order.SAME, Order.OLDER):
        raise Refusal(
            f"{candidate.commit[:12]} is not on {released}.", f"merge it into {released}, or name another commit."
        )
    return f"{released}, by hand"


def commit(candidate: Candidate) -> str:
    """Check that the commit is not older than the running one, nor of another branch."""
    wanted, now = candidate.commit[:12], candidate.target.running
    if now.idle:
        return f"{wanted}, the first to run"
    if now.commit is None:
        raise Doubt("the registry does not tell which commit runs, so it is not known which one is newer")
    running = now.commit[:12]
    if candidate.rollback or candidate.allow_older:
        return f"{wanted} instead of {running}, older or not"
    match git_history.order(candidate.root, candidate.commit, now.commit):
        case Order.SAME:
            return f"{wanted}, which runs already"
        case Order.NEWER:
            return f"{wanted}, newer than the running {running}"
        case Order.OLDER:
            raise Refusal(
                f"{wanted} is older than {running}, which runs: a newer pipeline was faster.",
                f"none, if a newer release is meant to run; to go back on purpose, {candidate.pipeline.back}.",
            )
        case Order.DIVERGED:
            raise Refusal(
                f"{wanted} and the running {running} have diverged: deploying one would undo the other.",
                f"merge the running commit into {candidate.branch} first; --allow-older skips this check.",
            )


def image(candidate: Candidate) -> str:
    """Check that the registry has the commit's image, and that it is the one that was pushed."""
    found = candidate.found
    if found is None:
        raise Refusal(
            f"The registry has no image of {candidate.commit[:12]}.",
            "push it first: `make build scan-image push`, or the pipeline's build job.",
        )
    if candidate.expected not in (None, found.digest):
        raise Refusal(
            f"{candidate.commit[:12]} is {found.digest} in the registry, and not {candidate.expected}, which was "
            "pushed.",
            "find out what put another image in its place; nothing that is checked in causes this.",
        )
    # A rollback may go to any image that was released before.
    if found.unfit and not candidate.rollback:
        raise Refusal(found.unfit.sentence, found.unfit.change)
    return found.digest


CHECKS: Mapping[str, Callable[[Candidate], str]] = {"branch": branch, "commit": commit, "image": image}
