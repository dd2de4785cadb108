"""An AWS account with a site on it, which answers the delivery's calls from a state that these calls change."""

from __future__ import annotations

import copy
import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delivery.deployment.lock import KEY
from tests.delivery.aws import resources
from tests.delivery.aws.fake_cli import Call, Fault, Program
from tests.delivery.aws.fake_service import SERVICE_STATE, FakeService, read_request
from tests.delivery.aws.resources import ACCOUNT, NAME, REGION, REGISTRY, Json, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

DEPLOYER = f"arn:aws:sts::{ACCOUNT}:assumed-role/{NAME}-deploy-{REGION}/job-1"
RELEASED = f"/{NAME}/released-image"
STATE = ("images", "objects", "parameters", *SERVICE_STATE)


class FakeAccount(FakeService):
    """An account with the stacks in it. A test changes what it likes before the delivery runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.images: dict[str, Json] = {}
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.parameters = {RELEASED: "none", resources.DATABASE_URL: "postgresql://db.example.org:5432/colophon"}
        self.targets = [resources.target(address, "healthy") for address in ("10.0.1.10", "10.0.1.11")]
        streams = ("site/site", "edge/edge", "prepare/site")  # the beginnings of their names
        self.logs: dict[str, list[str]] = {name: ["a line of the log"] for name in streams}
        self.scan: Json | None = {"status": "COMPLETE"}
        self.findings: list[Json] = []
        self.media_type: str | None = "application/vnd.docker.distribution.manifest.v2+json"
        secrets = (resources.OWNER, resources.SITE_USER, resources.NEXT_USER)
        self.secrets: dict[str, Json] = {arn: {"ARN": arn, "Name": arn.split(":")[6][:-7]} for arn in secrets}
        self.log_groups: list[Json] = [{"logGroupName": f"/{NAME}/site"}]
        self.group = resources.target_group()
        self.faults: dict[Call, list[Exception]] = {}
        self.before: dict[Call, list[Callable[[], None]]] = {}
        self.visits = 0  # of the first page
        self.site_says: Json | None = None
        self._writing = threading.Lock()
        self._serve()
        self.program = Program(folder, self._answer)

    # -- what a test sets

    def state(self) -> Json:
        """Return what the delivery's calls change, to be restored."""
        return copy.deepcopy({name: getattr(self, name) for name in STATE})

    def restore(self, state: Json) -> None:
        """Have everything as it was, and no call made."""
        for name, value in copy.deepcopy(state).items():
            setattr(self, name, value)
        self.program.calls.clear()
        self.program.fates.clear()

    def push(self, commit: str, *, content: str = "") -> str:
        """Have an image of a commit in the registry, and return its digest."""
        manifest = json.dumps({"schemaVersion": 2, "config": {"digest": digest_of(f"id {content or commit}")}})
        digest = digest_of(manifest)
        self.images[digest] = {"tags": [commit], "manifest": manifest}
        return digest

    def run(self, commit: str) -> str:
        """Have the service run a commit, as if released long ago, and return its digest."""
        digest = self.push(commit)
        self.service_definition = self.running_definition = self.completed = self.register(digest)
        self.images[digest]["tags"].append(f"released-{commit}")
        self.parameters[RELEASED] = f"{REGISTRY}/{NAME}@{digest}"
        return digest

    def fail(self, service: str, operation: str, *faults: Exception) -> None:
        """Have the next calls of an operation fail."""
        self.faults.setdefault((service, operation), []).extend(faults)

    def at(self, service: str, operation: str, *hooks: Callable[[], None]) -> None:
        """Have something happen during the next calls of an operation."""
        self.before.setdefault((service, operation), []).extend(hooks)

    def hold_lock(self, who: str, *, seconds: float, length: float | None = None) -> None:
        """Have another deployment hold the lock for so many seconds from now."""
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        lock: Json = {"holder": who, "id": who, "since": "2026-03-01T12:00:00Z", "until": until.isoformat()}
        if length is not None:
            lock["seconds"] = length
        self.objects[KEY] = (json.dumps(lock).encode(), f'"{self.number()}"')

    # -- what a test reads

    @property
    def operations(self) -> list[str]:
        return [" ".join(words[:2]) for words in self.program.calls]

    @property
    def url(self) -> str:
        return self.parameters[f"/{NAME}/site-url"]

    @property
    def receipts(self) -> list[Json]:
        return [json.loads(self.objects[key][0]) for key in sorted(self.objects) if key.startswith("receipts/")]

    @property
    def lock(self) -> Json:
        found: Json = json.loads(self.objects[KEY][0])
        return found

    @property
    def released(self) -> str:
        return self.parameters[RELEASED]

    def digest(self, commit: str) -> str:
        """Return the digest of a commit's image."""
        return next(digest for digest, image in self.images.items() if commit in image["tags"])

    def definition_of(self, commit: str) -> str:
        """Return the first task definition that was registered with a commit's image."""
        digest = self.digest(commit)
        return next(arn for arn in self.definitions if self.image_of(arn).endswith(digest))

    # -- the site

    def _serve(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.visits += self.path == "/"
                body = json.dumps(outer.site_says or outer._passport()).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.parameters[f"/{NAME}/site-url"] = f"http://127.0.0.1:{self.server.server_address[1]}"

    def _passport(self) -> Json:
        digest = self.image_of(self.running_definition).partition("@")[2]
        tags = self.images.get(digest, {}).get("tags", [])
        return {"state": "released", "commit": tags[0] if tags else None, "image_digest": digest}

    def close(self) -> None:
        self.program.close()
        self.server.shutdown()
        self.server.server_close()

    # -- AWS

    def _answer(self, service: str, operation: str, given: Json) -> Json | str | None:
        for hook in self._next(self.before, (service, operation)):
            hook()
        for fault in self._next(self.faults, (service, operation)):
            raise fault
        if same := self.same_answers().get(f"{service} {operation}"):
            return same
        answer: Json | None = getattr(self, f"_{service}_{operation}".replace("-", "_"))(given)
        return answer

    def same_answers(self) -> dict[str, Json | str]:
        repository = {"repositoryName": NAME, "repositoryUri": f"{REGISTRY}/{NAME}"}
        return super().same_answers() | {
            "configure get": f"{REGION}\n",
            "ecr describe-repositories": {"repositories": [repository]},
            "ecr get-login-password": "a fake password\n",
            "elbv2 describe-target-groups": {"TargetGroups": [self.group]},
            "elbv2 describe-target-health": {"TargetHealthDescriptions": self.targets},
            "logs describe-log-groups": {"logGroups": self.log_groups},
            "sts get-caller-identity": {"Account": ACCOUNT, "UserId": "FAKE:job-1", "Arn": DEPLOYER},
        }

    def _next(self, planned: dict[Call, list[Any]], call: Call) -> list[Any]:
        waiting = planned.get(call, [])
        return [waiting.pop(0)] if waiting else []

    def _ssm_get_parameter(self, given: Json) -> Json:
        if given["name"] not in self.parameters:
            raise Fault("ParameterNotFound")
        return {"Parameter": {"Name": given["name"], "Type": "String", "Value": self.parameters[given["name"]]}}

    def _ssm_put_parameter(self, given: Json) -> Json:
        self.parameters[given["name"]] = given["value"]
        return {"Version": 2}

    def _iam_get_role(self, given: Json) -> Json:
        return {"Role": resources.role(given["role-name"])}

    def _secretsmanager_describe_secret(self, given: Json) -> Json:
        if given["secret-id"] not in self.secrets:
            raise Fault("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return self.secrets[given["secret-id"]]

    def _secretsmanager_get_secret_value(self, given: Json) -> Json:
        return {"Name": given["secret-id"], "SecretString": json.dumps(self.users[given["secret-id"]])}

    def _secretsmanager_put_secret_value(self, given: Json) -> Json:
        path = Path(given["secret-string"].removeprefix("file://"))
        assert path.stat().st_mode & 0o077 == 0
        self.users[given["secret-id"]] = json.loads(path.read_text())
        return {"Name": given["secret-id"], "VersionStages": ["AWSCURRENT"]}

    def _logs_get_log_events(self, given: Json) -> Json:
        stream = given["log-stream-name"].rpartition("/")[0]
        if stream not in self.logs:
            raise Fault("ResourceNotFoundException", "The specified log stream does not exist.")
        lines = [] if given.get("next-token") else self.logs[stream]
        events = [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in lines]
        return {"events": events, "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}

    # -- the registry

    def _image(self, given: str) -> tuple[str, Json] | None:
        kind, _, value = given.partition("=")
        known = self.images.items()
        found = (each for each in known if (each[0] == value if kind == "imageDigest" else value in each[1]["tags"]))
        return next(found, None)

    def _ecr_describe_images(self, given: Json) -> Json:
        found = self._image(given["image-ids"])
        if found is None:
            raise Fault("ImageNotFoundException")
        media_type = {"imageManifestMediaType": self.media_type} if self.media_type else {}
        details = {"repositoryName": NAME, "imageDigest": found[0], "imageTags": found[1]["tags"], **media_type}
        return {"imageDetails": [details]}

    def _ecr_batch_get_image(self, given: Json) -> Json:
        found = self._image(given["image-ids"])
        if found is None:
            return {"images": [], "failures": [{"failureCode": "ImageNotFound"}]}
        image: Json = {"repositoryName": NAME, "imageId": {"imageDigest": found[0]}}
        image |= {"imageManifest": found[1]["manifest"], "imageManifestMediaType": self.media_type}
        return {"images": [image]}

    def _ecr_put_image(self, given: Json) -> Json:
        request = read_request("ecr", "put-image", given)
        tags = self.images[digest_of(request["imageManifest"])]["tags"]
        if request["imageTag"] in tags:
            raise Fault("ImageAlreadyExistsException", "Image with digest and tag already exists")
        tags.append(request["imageTag"])
        return {"image": {"repositoryName": NAME}}

    def _ecr_describe_image_scan_findings(self, _: Json) -> Json:
        if self.scan is None:
            raise Fault("ScanNotFoundException")
        counts = dict(Counter(each["severity"] for each in self.findings))
        found = {"findings": self.findings, "findingSeverityCounts": counts}
        return {"repositoryName": NAME, "imageScanStatus": self.scan, "imageScanFindings": found}

    # -- the bucket

    def _s3api_get_object(self, given: Json) -> Json:
        if given["key"] not in self.objects:
            raise Fault("NoSuchKey", "The specified key does not exist.")
        body, tag = self.objects[given["key"]]
        Path(given[""]).write_bytes(body)
        return {"ETag": tag, "ContentLength": len(body)}

    def _s3api_put_object(self, given: Json) -> Json:
        with self._writing:  # the condition and the write are one
            _, known = self.objects.get(given["key"], (b"", None))
            if "if-match" in given and known is None:
                raise Fault("NoSuchKey", "The specified key does not exist.")
            if ("if-none-match" in given and known) or given.get("if-match", known) != known:
                raise Fault("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
            tag = f'"{self.number()}"'
            self.objects[given["key"]] = (Path(given["body"]).read_bytes(), tag)
        return {"ETag": tag}

    def _s3api_list_objects_v2(self, given: Json) -> Json | None:
        keys = [key for key in sorted(self.objects) if key.startswith(given["prefix"])]
        return {"Contents": [{"Key": key} for key in keys]} if keys else None
