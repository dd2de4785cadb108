"""The bucket of the receipts and the lock."""

from __future__ import annotations

import json
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from delivery.aws.errors import AwsError
from delivery.deployment.errors import Conflict

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.aws.client import Aws
    from delivery.deployment.seam import Json


class Bucket:
    """A bucket as a store of JSON objects; an object's version is its entity tag. Every method raises AwsError."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws, self._name = aws, name

    def read(self, key: str, *, quiet: bool = False) -> tuple[Json, str] | None:
        """Return an object and its version. None where there is none."""
        with NamedTemporaryFile(prefix="delivery-", suffix=".json") as file:
            try:
                got = self._aws.call("s3api", "get-object", file.name, bucket=self._name, key=key, quiet=quiet)
            except AwsError as error:
                if error.error == "NoSuchKey":
                    return None
                raise
            return json.loads(file.read()), str(got["ETag"])

    def write(self, key: str, path: Path, *, instead_of: str | None, quiet: bool = False) -> str:
        """Store a file and return its version. Raises Conflict unless `instead_of` is the present version.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        condition = {"if_match": instead_of} if instead_of else {"if_none_match": "*"}
        content = {"body": str(path), "content_type": "application/json"}
        try:
            put = self._aws.call("s3api", "put-object", bucket=self._name, key=key, **content, **condition, quiet=quiet)
        except AwsError as error:
            # 412 and 409; and 404, for a version that is gone.
            if error.error in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"):
                raise Conflict from None
            raise
        return str(put["ETag"])

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix."""
        listed = self._aws.call("s3api", "list-objects-v2", bucket=self._name, prefix=prefix)
        return [each["Key"] for each in listed.get("Contents", [])]
