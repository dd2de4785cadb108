"""The judge of every answer: one that botocore's models do not allow becomes an error, and fails the emulator's run.

ministack and this package answer as their authors read AWS's documentation; the models are AWS's own.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import cbor2
from ministack import app

from . import operations, shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    Answer = tuple[int, dict[str, Any], Any]  # status, headers, body, as ministack has them

CODE = "WrongAnswer"  # of the error that takes a wrong answer's place
# What ministack has in its answers, and AWS has not.
OF_A_VPC = rb"<(mainRouteTable|defaultNetworkAcl|defaultSecurityGroup)Id>[^<]*</\1Id>"
OF_A_TASK_DEFINITION = rb'"(pid|ipc)Mode": ?"", ?'
OF_A_DATABASE = rb"<ReplicaMode>\s*</ReplicaMode>|<ReplicaMode ?/>"
SURPLUS = {
    "cloudformation DescribeChangeSet": rb"<ChangeSetType>\w*</ChangeSetType>",
    "ec2 CreateVpc": OF_A_VPC,
    "ec2 DescribeVpcs": OF_A_VPC,
    "ecs DescribeCapacityProviders": rb', ?"autoScalingGroupProvider": ?\{\}',
    "ecs DeregisterTaskDefinition": OF_A_TASK_DEFINITION,
    "ecs DescribeTaskDefinition": OF_A_TASK_DEFINITION,
    "ecs RegisterTaskDefinition": OF_A_TASK_DEFINITION,
    "rds DescribeDBInstances": OF_A_DATABASE,
    "rds ModifyDBInstance": OF_A_DATABASE,
}


class Judge:
    """The judge between ministack and its callers. `judged` counts each operation's answers, `wrong` has the faults."""

    def __init__(self) -> None:
        self.judged: Counter[str] = Counter()
        self.wrong: list[str] = []

    def install(self) -> None:
        """Have every answer judged from now on."""
        dispatch = app._dispatch_service_request

        async def judged(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request: str
        ) -> Any:
            answer = await dispatch(method, path, headers, body, query, request)
            return self._judge((method, path, headers, body, query), answer)

        app._dispatch_service_request = judged

    def _judge(self, request: Any, answer: Answer) -> Answer:
        """Return an answer, or the error that takes its place when it is wrong."""
        status, headers, body = answer
        content = body.encode() if isinstance(body, str) else body
        if not isinstance(content, bytes):  # a stream
            return answer
        try:
            operation = operations.called(*request)
        except LookupError as unknown:
            return self._refuse(request[2], f"{unknown}")
        if operation is None:
            return answer
        name = f"{operation.service_model.service_name} {operation.name}"
        self.judged[name] += 1
        headers, content = _mended(name, headers, content)
        lower = {key.lower(): str(value) for key, value in headers.items()}
        found = "; ".join(shapes.differences(operation, status, lower, content))
        return self._refuse(request[2], f"{name}: {found}") if found else (status, headers, content)

    def _refuse(self, request: Mapping[str, str], wrong: str) -> Answer:
        """Return an error in the protocol of a request, by its headers."""
        if wrong not in self.wrong:
            self.wrong.append(wrong)
            print(f"The emulator's answer is not AWS's: {wrong}", file=sys.stderr, flush=True)
        said = {"__type": CODE, "message": wrong}
        if "cbor" in request.get("smithy-protocol", ""):
            return 500, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, cbor2.dumps(said)
        if "x-amz-target" in request:
            return 500, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(said).encode()
        error = f"<Error><Code>{CODE}</Code><Message>{escape(wrong)}</Message></Error>"
        in_root = "urlencoded" in request.get("content-type", "")
        return 500, {"Content-Type": "text/xml"}, (f"<R>{error}</R>" if in_root else error).encode()


def _mended(operation: str, headers: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return an answer without the faults that ministack is known to have."""
    if operation == "route53 CreateHostedZone":
        for zone in re.findall(rb"<Id>(/hostedzone/\w+)</Id>", content):
            headers = {**headers, "Location": f"https://route53.amazonaws.com/2013-04-01{zone.decode()}"}
    return headers, re.sub(SURPLUS[operation], b"", content) if operation in SURPLUS else content
