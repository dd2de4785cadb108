"""The parameter that names the released image: the service's stack reads it, and CloudFormation fails without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from delivery.aws import ecr
from delivery.aws.ecs.service import Running
from delivery.aws.stacks.change_sets import StackError
from delivery.deployment import receipts

if TYPE_CHECKING:
    from delivery.aws.context import Context
    from delivery.deployment.seam import Json, Store


@dataclass(frozen=True)
class Released:
    """The parameter of a project. `store` has the receipts; None before there are any."""

    context: Context
    store: Store | None

    def restore(self, *, serving: bool, diff: bool) -> bool:
        """Return whether the parameter is there. Where it is missing, write it anew from the receipts, but for a diff.

        It gets the image that was proven last of those that the registry still has; `none` if there is no such image
        and no service that is `serving` one. Raises StackError, also for an image of another repository or one that the
        service does not run, and AwsError.
        """
        aws, name = self.context.aws, self.context.names.released_image
        present = aws.parameter(name)
        if present is not None:
            self._refuse_foreign(present)
            if serving:
                self._refuse_other(present)
            return True
        receipt = self._proven_last()
        if receipt is None and serving:
            raise StackError(
                f"{name} is missing, and no receipt names a proven image that the registry still has. Release a "
                "commit (make deploy), which writes it, then try again."
            )
        image = receipt["image"] if receipt else "none"
        self._refuse_foreign(image)
        why = f"proven by {receipt['key']}" if receipt else "as nothing was released yet"
        click.echo(f"{name} is missing. It {'would be' if diff else 'is'} written anew: {image}, {why}.")
        if not diff:
            aws.call("ssm", "put-parameter", name=name, value=image, type="String", overwrite=True)
        return not diff

    def _refuse_foreign(self, image: str) -> None:
        """Raise StackError for an image of another repository: the deploy role can write one, and it would run."""
        if image == "none":
            return
        own = ecr.Registry(self.context, str).uri
        if not image.startswith(f"{own}@"):
            raise StackError(
                f"{self.context.names.released_image} names {image}, and this project's images are in {own}. Find out "
                "what wrote it (CloudTrail); `make deploy` of the commit that runs writes it anew."
            )

    def _refuse_other(self, image: str) -> None:
        """Raise StackError for an image that the service does not run: a change of its stack would bring that back."""
        running = Running(self.context)
        if running.service and running.image not in (None, image):
            commit = running.commit or "the commit that runs"
            raise StackError(
                f"The service runs {running.image}, and {self.context.names.released_image} names {image}, which this "
                f"change would bring back. `make deploy` of {commit} proves that one and records it; `make rollback` "
                "goes to the last release that was proven."
            )

    def _proven_last(self) -> Json | None:
        found = receipts.newest(self.store) if self.store else iter(())
        return next((one for one in found if one["proven"] and ecr.commit_of(self.context, one["digest"])), None)
