"""The image registry: ministack's, with passwords, permissions and the findings of scans."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, json_response
from ministack.core.router import extract_access_key_id
from ministack.services import ecr

from . import authorization, images
from .environment import UNABLE, StartError

if TYPE_CHECKING:
    from .model import Json, Task

# The permissions that each kind of request to the registry needs:
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
CHECKING = "ecr:BatchCheckLayerAvailability"
PULLING = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
PUSHING = ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", CHECKING)
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


class Registry:
    """The registry at HOST:PORT, where the engine of this machine trusts it without TLS."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._passwords: dict[str, str] = {}  # the access key behind each; none behind the agent's

    def install(self) -> None:
        """Put this registry in front of ministack's."""
        images.install()
        ecr._repo_uri = lambda name: f"{self.address}/{name}"
        answer, serve = ecr.handle_request, ecr.handle_registry_request

        async def handle(method: str, path: str, headers: Json, body: bytes, query: Json) -> Any:
            action = str(headers.get("x-amz-target", "")).rpartition(".")[2]
            if action == "GetAuthorizationToken":
                return self._token(extract_access_key_id(headers, query))
            if action == "DescribeImageScanFindings":
                return _findings(body)
            return await answer(method, path, headers, body, query)

        async def registry(method: str, path: str, headers: Json, body: bytes, query: Json) -> Any:
            return self._refused(method, path, headers) or await serve(method, path, headers, body, query)

        ecr.handle_request, ecr.handle_registry_request = handle, registry

    def credentials(self, task: Task, image: str) -> Json:
        """Return the engine's login to pull a task's image: a password of its execution role.

        Raises StartError when the role may not pull from this registry. Another registry gets none.
        """
        if not image.startswith(f"{self.address}/"):
            return {}
        name = image.removeprefix(f"{self.address}/").partition("@")[0].partition(":")[0]
        arn = f"arn:aws:ecr:{task.region}:{task.account}:repository/{name}"
        for action, resource in (("ecr:GetAuthorizationToken", "*"), *((action, arn) for action in PULLING)):
            if denied := authorization.denial(task, action, resource):
                reason = f"unable to pull registry auth from Amazon ECR: AccessDeniedException: {denied}"
                raise StartError(UNABLE + reason)
        return {"username": "AWS", "password": self._password("")}

    def _password(self, owner: str) -> str:
        password = secrets.token_urlsafe(32)
        self._passwords[password] = owner
        return password

    def _token(self, access_key: str) -> Any:
        token = base64.b64encode(f"AWS:{self._password(access_key)}".encode()).decode()
        expires = int(time.time()) + 43200
        given = {"authorizationToken": token, "expiresAt": expires, "proxyEndpoint": f"http://{self.address}"}
        return json_response({"authorizationData": [given]})

    def _refused(self, method: str, path: str, headers: Json) -> Any:
        """Refuse a request without a password from here, or one that its owner's policies do not allow."""
        kind, _, encoded = str(headers.get("authorization", "")).partition(" ")
        try:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            user = password = ""
        if kind.lower() != "basic" or user != "AWS" or password not in self._passwords:
            status, fields, body = ecr._registry_error(401, "UNAUTHORIZED", "authentication required")
            return status, {**fields, "WWW-Authenticate": f'Basic realm="http://{self.address}/"'}, body
        verb, name, _ = ecr._parse_v2_path(path) or ("", "", "")
        key = self._passwords[password]
        if not key or verb == "ping":
            return None
        principal = iam_evaluator.resolve_principal(key, get_account_id())
        if getattr(principal, "policies", ()) is None:
            return None  # the account itself
        needed = PULLING if method in ("GET", "HEAD") else ("ecr:PutImage",) if verb == "manifest" else PUSHING
        for action in needed:
            decided = iam_evaluator.evaluate(_context(principal, action, name), principal.policies, *principal.limits)
            if decided.decision != "Allow":
                message = f"User: {principal.arn} is not authorized to perform: {action} on resource: repository/{name}"
                return ecr._registry_error(403, "DENIED", message)
        return None


def _context(principal: Any, action: str, name: str) -> Any:
    region = next((region for _, region, known in ecr._repositories.to_dict() if known == name), "")
    return iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=f"arn:aws:ecr:{region}:{principal.account}:repository/{name}",
        region=region,
        principal_keys=principal.keys,
    )


def _findings(body: bytes) -> Any:
    """Answer that a scan of an image is complete and found nothing. An index of images is never scanned.

    The release's own scans look for what there is to find. An index's type cannot be scanned, so no scan is found:
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartImageScan.html
    """
    data = json.loads(body or b"{}")
    name, image = data.get("repositoryName", ""), data.get("imageId") or {}
    if name not in ecr._repositories:
        return _missing("Repository", f"The repository with name '{name}' does not exist")
    found = ecr._find_image(name, image)
    if not found:
        return _missing("Image", f"The image with imageId {image} does not exist")
    scans = (ecr._repositories[name].get("imageScanningConfiguration") or {}).get("scanOnPush")
    if not scans or found.get("imageManifestMediaType") in INDEXES:
        return _missing("Scan", f"Image scan does not exist for the image with '{image}'")
    names = {"registryId": get_account_id(), "repositoryName": name, "imageId": {"imageDigest": found["imageDigest"]}}
    status = {"status": "COMPLETE", "description": "The scan was completed successfully."}
    findings = {"imageScanCompletedAt": found["imagePushedAt"], "findings": [], "findingSeverityCounts": {}}
    return json_response({**names, "imageScanStatus": status, "imageScanFindings": findings})


def _missing(kind: str, message: str) -> Any:
    return error_response_json(f"{kind}NotFoundException", message, 400)
