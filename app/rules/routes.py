"""Rules over HTTP."""

from typing import Any

from app import idempotency
from app.auth import signed_in
from app.rules import models  # noqa: F401 - the tables are known whether or not the service behind the routes is loaded
from app.rules.schemas import (
    Approval,
    PreviewFacts,
    Retirement,
    RuleBackTested,
    RuleDraft,
    RuleDrafted,
    RuleList,
    RuleMoved,
    RulePrecision,
    RulePreviewed,
    RuleQuery,
    RuleView,
)
from app.web import Blueprint, Later

# Behind it are Ibis, DuckDB and Arrow, a hundred megabytes.
service = Later("app.rules.service")
rules = Blueprint("rules", __name__, url_prefix="/api/v1/rules", description="规则 rules")
_ACTION = "/<code>/versions/<int:version>/actions/"


@rules.get("")
@rules.arguments(RuleQuery, location="query")
@rules.response(200, RuleList)
def list_rules(query: dict[str, Any]) -> Any:
    """The rules of my area and of what lies above it."""
    with signed_in("staff"):
        return service.list_rules(query)


@rules.post("")
@rules.arguments(RuleDraft)
@rules.response(201, RuleDrafted)
@rules.doc(parameters=[idempotency.KEY_HEADER])
def draft_rule(draft: dict[str, Any]) -> Any:
    """Put down a rule, or a new version of one; what is in force stays so."""
    with signed_in("staff") as who:
        return service.draft_rule(draft["document"], who)


@rules.get("/<code>")
@rules.response(200, RuleView)
def get_rule(code: str) -> Any:
    """A rule with its versions, their sentences and its last runs."""
    with signed_in("staff") as who:
        return service.get_rule(code, who)


@rules.get("/<code>/precision")
@rules.response(200, RulePrecision)
def get_rule_precision(code: str) -> Any:
    """How often the rule was right, by version and county."""
    with signed_in("staff"):
        return service.precision_of_rule(code)


@rules.post(_ACTION + "check")
@rules.response(200, RuleMoved)
def check_rule(code: str, version: int) -> Any:
    """Hold the draft against the datasets as they are."""
    with signed_in("staff") as who:
        return service.check_rule(code, version, who)


@rules.post(_ACTION + "try_out")
@rules.response(200, RuleMoved)
def try_rule(code: str, version: int) -> Any:
    """Run the version on its own cases."""
    with signed_in("staff") as who:
        return service.try_rule(code, version, who)


@rules.post(_ACTION + "preview")
@rules.arguments(PreviewFacts)
@rules.response(200, RulePreviewed)
def preview_rule(facts: dict[str, Any], code: str, version: int) -> Any:
    """What the version finds in a county and a year."""
    with signed_in("staff") as who:
        return service.preview_rule(code, version, facts, who)


@rules.post(_ACTION + "back_test")
@rules.response(200, RuleBackTested)
def back_test_rule(code: str, version: int) -> Any:
    """What changes when the version takes the place of the one in force."""
    with signed_in("staff") as who:
        return service.back_test_rule(code, version, who)


@rules.post(_ACTION + "start_shadow")
@rules.response(200, RuleMoved)
def start_rule_shadow(code: str, version: int) -> Any:
    """Let the version run each night without consequence."""
    with signed_in("staff") as who:
        return service.start_shadow(code, version, who)


@rules.post(_ACTION + "approve")
@rules.arguments(Approval)
@rules.response(200, RuleMoved)
def approve_rule(facts: dict[str, Any], code: str, version: int) -> Any:
    """Put the version into force, as a second person."""
    with signed_in("staff") as who:
        return service.approve_rule(code, version, facts, who)


@rules.post(_ACTION + "retire")
@rules.arguments(Retirement)
@rules.response(200, RuleMoved)
def retire_rule(facts: dict[str, Any], code: str, version: int) -> Any:
    """Take the version out of force, or give it up."""
    with signed_in("staff") as who:
        return service.retire_rule(code, version, facts, who)
