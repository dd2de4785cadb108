"""Errors of calls to AWS: what kind each is, its cause, and what to change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from delivery.deployment.errors import CallError
from delivery.deployment.outcomes import Cause
from delivery.terminal.shell import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable

DELIVERY = "ecs/delivery.yml"
LINES, LENGTH = 10, 500  # of a log, as much as one reads

# How the CLI says that AWS refused, and how it says that it did not get that far.
REFUSAL = re.compile(
    r"An error occurred \((?P<code>\w+)\) when calling the (?P<operation>\w+) operation"
    r"(?: \(reached max retries: \d+\))?: (?P<said>.*?)(?:\nAdditional error details:.*)?$",
    re.DOTALL,
)
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
SIGNED = re.compile(
    r"Signature (?:expired|not yet current): (?P<here>\d{8}T\d{6}Z) is .*\((?P<there>\d{8}T\d{6}Z) [-+] \d+ min\.?\)"
)
FAILURES = {
    "NoCredentials": "Unable to locate credentials",
    "NoConnection": "Could not connect to the endpoint URL",
    "Timeout": "timeout on endpoint URL",
    "ConnectionClosed": "Connection was closed before",
    "ExpiredToken": "Token has expired",
    "NoProfile": "The config profile",
    "NoInstanceRole": "Error when retrieving credentials from Ec2InstanceMetadata",
}
THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"}
    | {"SlowDown", "RequestThrottled", "RequestThrottledException", "PriorRequestNotComplete", "LimitExceededException"}
    | {"BandwidthLimitExceeded", "EC2ThrottledException", "ProvisionedThroughputExceededException", "TooManyUpdates"}
    | {"TransactionInProgressException"}
)
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
# AWS, or the way there, failed: a call that ended so may have been carried out.
FAILED = frozenset(
    {"NoConnection", "Timeout", "ConnectionClosed", "ServerException", "InternalError", "InternalFailure"}
    | {"InternalServerError", "InternalServiceError", "ServiceFailure", "ServiceUnavailable", "RequestTimeout"}
    | {"ServiceUnavailableException", "RequestTimeoutException", "HealthUnavailable", "500", "502", "503", "504"}
    | {"ResourceContention", "ServiceLinkedRoleFailure"}
)
PASSING = FAILED | {"IDPCommunicationError"}
LASTING = EXPIRED | DENIED | {"RegionDisabledException", "NoCredentials", "NoProfile", "NoProgram", "NoInstanceRole"}


class AwsError(CommandError, CallError):
    """A call to AWS failed. `error` is AWS's code for it, "" for an unknown one; `said` is its sentence."""

    def __init__(self, failed: CommandError) -> None:
        super().__init__(failed.command, failed.code, failed.errors)
        refusal = REFUSAL.search(failed.errors)
        self.operation = refusal["operation"] if refusal else ""
        # Version 2 begins each complaint of its own with its name.
        self.said = " ".join((refusal["said"] if refusal else failed.errors).split()).removeprefix("aws: [ERROR]: ")
        if self.killed:
            self.error, self.said = "Killed", self.message
        elif refusal:
            self.error = refusal["code"]
        elif self.code == 127:
            self.error = "NoProgram"
        else:
            self.error = next((code for code, words in FAILURES.items() if words in failed.errors), "")

    @property
    def may_pass(self) -> bool:
        """True if the same call may succeed later, with nothing changed."""
        return self.error in THROTTLED or self.error in PASSING or self.killed is not None

    @property
    def lasts(self) -> bool:
        """True if the same call will fail until a person changes something."""
        return self.error in LASTING or "not authorized to perform" in self.said

    @property
    def may_be_done(self) -> bool:
        """True if AWS may have carried the call out all the same."""
        return self.error in FAILED or self.killed is not None

    @property
    def cause(self) -> Cause:
        """The cause of the failure, and what to change."""
        return _cause(self)


def shown(lines: Iterable[str], most: int = LINES) -> tuple[str, ...]:
    """Return the last lines, each cut to a length that can be read."""
    whole = [part.rstrip() for line in lines for part in line.splitlines() if part.strip()]
    return tuple(line if len(line) <= LENGTH else f"{line[:LENGTH]}…" for line in whole[-most:])


def _cause(error: AwsError) -> Cause:
    said = shown([error.said])
    if error.code == 127:
        return Cause(
            "no-aws", "There is no aws CLI to make the calls.", said, "`make setup FOR=delivery` installs one."
        )
    if error.killed:
        return Cause("interrupted", f"{error.message}, on every attempt.", (), "find out what kills processes here.")
    signed = SIGNED.search(error.said)
    if signed or error.error == "RequestTimeTooSkewed":
        times = f": here it is {signed['here']}, there {signed['there']}" if signed else ""
        return Cause(
            "clock",
            f"This machine's clock and AWS's are too far apart{times}.",
            said,
            "set this machine's clock, which its time service should keep right (`timedatectl`), and run this again.",
        )
    if error.error == "IDPCommunicationError":
        return Cause(
            "gitlab-unreachable",
            "AWS could not reach GitLab to verify the job's token.",
            said,
            "run this again, for it often passes. AWS never reaches a GitLab in a private network: choose other "
            "credentials for the environment, in delivery.toml.",
        )
    if error.error == "RegionDisabledException":
        return Cause(
            "region-disabled",
            "The account may not use this region: STS is not active there.",
            said,
            "activate the region in the account's settings, or correct `region` in delivery.toml; then run this again.",
        )
    if error.error in EXPIRED or ("token" in error.said.lower() and "expired" in error.said.lower()):
        return Cause(
            "expired-token",
            "The token or session in use has expired.",
            said,
            "in a pipeline, run the job again, for a token lives only as long as its job; by hand, log in again. A job "
            f"that takes longer than its session needs a longer MaxSessionDuration in {DELIVERY}.",
        )
    if error.operation in ("AssumeRole", "AssumeRoleWithWebIdentity") and not error.may_pass:
        return Cause(
            "token-refused",
            "AWS does not let this pipeline assume the role.",
            said,
            "none, if this is not the pipeline of the protected release branch: no other may deploy. If it is, the "
            f"project's path, the issuer or the audience in {DELIVERY} is not this GitLab's, or `Trust` is not what "
            "`credentials` in delivery.toml needs.",
        )
    if error.error in DENIED or "not authorized to perform" in error.said:
        action = re.search(r"not authorized to perform: ([\w:-]+)", error.said)
        resource = re.search(r"on resource: (\S+)", error.said)
        which = action[1] if action else error.operation or "this"
        return Cause(
            "access-denied",
            f"These credentials do not allow {which}{f' on {resource[1]}' if resource else ''}.",
            said,
            f"change the policy of the deploy role, or of the push role, in {DELIVERY}; or use that role's "
            "credentials.",
        )
    if error.error in THROTTLED:
        return Cause(
            "throttled",
            f"AWS takes no more calls of {error.operation or 'this kind'} for now, and did not after several tries.",
            said,
            "run this again later. If it comes back, something else uses up the account's calls (CloudTrail).",
        )
    if error.error == "NoCredentials":
        return Cause(
            "no-credentials",
            "There are no credentials for AWS.",
            said,
            "by hand, log in (`aws sso login`, `aws configure`); in a pipeline, see the job's id_tokens in "
            ".gitlab-ci.yml.",
        )
    if error.error == "NoInstanceRole":
        return Cause(
            "no-credentials",
            "This environment's credentials are the role of the EC2 instance that the runner is on, and none is there.",
            said,
            "give the instance the profile that the delivery's stack makes, and let its jobs reach the metadata "
            "service (delivery/runner/README.md); or choose another source, `credentials` in delivery.toml.",
        )
    if error.error in PASSING:
        return Cause("aws-unreachable", "AWS cannot be reached, or has an outage.", said, "run this again later.")
    return Cause("aws-error", f"AWS refused {error.operation or 'a call'}: {error.said}")
