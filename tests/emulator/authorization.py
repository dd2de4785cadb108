"""Permissions where AWS checks them and ministack does not, by ministack's own evaluation of policies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam, sts
from ministack.services.cognito import _decode_id_token_unverified

from . import request_context

if TYPE_CHECKING:
    from .model import Json, Task

Response = tuple[int, dict[str, str], bytes]


def denial(task: Task, action: str, resource: str) -> str | None:
    """Return AWS's sentence about an action that a task's execution role may not take; None where it may.

    A task without the role has no rights at all.
    """
    role = str(task.definition.get("executionRoleArn") or "")
    if role:
        policies = iam_evaluator._gather_role_policies(role.rsplit("/", 1)[-1], get_account_id())
        if _allowed(role, policies, action, resource):
            return None
    assumed = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    return _denied(f"{assumed}/{task.id}", action, resource)


def _denied(caller: str, action: str, resource: str) -> str:
    return (
        f"User: {caller} is not authorized to perform: {action} on resource: {resource} because no identity-based "
        f"policy allows the {action} action"
    )


def install() -> None:
    """Refuse tokens that AWS refuses before it looks at the role, and evaluate policies against the right resources."""
    request_context.install()
    trust = sts._web_identity_trust_denied

    def denied(role: str, params: Json, use_json: bool) -> Any:
        return _bad_token(sts._p(params, "WebIdentityToken"), role) or trust(role, params, use_json)

    sts._web_identity_trust_denied = denied


def _bad_token(token: str, role: str) -> Response | None:
    """Refuse a web identity token for which AWS would not even evaluate the role's trust policy.

    The signature is not checked: the keys of the provider that signed it are not here.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    """
    try:
        claims = _decode_id_token_unverified(token)
        expires, audience, issuer = float(claims["exp"]), claims["aud"], str(claims["iss"])
    except (KeyError, TypeError, ValueError):
        return _invalid("InvalidIdentityToken", "The web identity token that was passed could not be validated by AWS.")
    provider = f"arn:aws:iam::{role.split(':')[4]}:oidc-provider/{issuer.split('://', 1)[-1].rstrip('/')}"
    registered = iam._oidc_providers.get_scoped(role.split(":")[4], None, provider)
    if registered is None:
        return _invalid("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
    if expires <= time.time():
        late = f"current date/time {int(time.time())} must be before the expiration date/time {int(expires)}"
        return _invalid("ExpiredTokenException", f"Token expired: {late}")
    audiences = audience if isinstance(audience, list) else [audience]
    if not set(audiences) & set(registered.get("ClientIDList") or []):
        return _invalid("InvalidIdentityToken", "Incorrect token audience")
    return None


def _invalid(code: str, message: str) -> Response:
    return sts._error(400, code, message, ns="sts")  # type: ignore[no-any-return]


def may_not_pass(role: str) -> str | None:
    """Return AWS's sentence about a caller that may not pass a role to tasks; None where it may."""
    caller = iam_evaluator.caller_arn()
    if ":assumed-role/" not in caller:
        return None
    policies = iam_evaluator._gather_role_policies(iam_evaluator._role_name_from_assumed_arn(caller), get_account_id())
    if _allowed(caller, policies, "iam:PassRole", role, {"iam:passedtoservice": "ecs-tasks.amazonaws.com"}):
        return None
    return _denied(caller, "iam:PassRole", role)


def _allowed(caller: str, policies: Any, action: str, resource: str, keys: Json | None = None) -> bool:
    context = iam_evaluator.EvalContext(
        principal_arn=caller,
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context=keys or {},
        principal_keys={},
    )
    return bool(iam_evaluator.evaluate(context, policies).decision == "Allow")
