"""The names that the stacks in ecs/ give to things, all after the project."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """The names in one account and region."""

    project: str
    account: str
    region: str

    @property
    def bucket(self) -> str:
        """The bucket of the receipts and the lock."""
        return f"{self.project}-receipts-{self.account}-{self.region}"

    @property
    def preparing(self) -> str:
        """The family of the task definitions that prepare the database."""
        return f"{self.project}-prepare"

    @property
    def log_group(self) -> str:
        """The group of the tasks' logs."""
        return f"/{self.project}/site"

    @property
    def released_image(self) -> str:
        """The parameter with the image that was proven last, or `none`."""
        return f"/{self.project}/released-image"

    @property
    def site_url(self) -> str:
        """The parameter with the address at which visitors find the site."""
        return f"/{self.project}/site-url"

    @property
    def database_url(self) -> str:
        """The parameter with the address of the database, which tasks read."""
        return f"/{self.project}/database-url"

    @property
    def site_user(self) -> str:
        """The secret with the user that tasks serve as."""
        return f"{self.project}/database-site-user"

    @property
    def next_user(self) -> str:
        """The secret with the user that they serve as after the next rotation."""
        return f"{self.project}/database-next-user"
