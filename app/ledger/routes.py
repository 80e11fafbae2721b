"""The ledger over HTTP, for everybody: signed heads and proofs. No number and no id of a case appears in it."""

import re
from typing import Any

from app.auth import visitor
from app.errors import Unknown
from app.ledger import reading, service
from app.ledger.schemas import (
    LOG,
    ConsistencyQuery,
    ConsistencyView,
    HeadView,
    InclusionQuery,
    InclusionView,
    KeyList,
    LogPage,
    LogQuery,
    ProofQuery,
    ProofView,
)
from app.web import Blueprint

ledger = Blueprint("ledger", __name__, url_prefix="/api/v1/ledger", description="存证账本 ledger")

_LARGEST = 2**53 - 1


@ledger.get("/keys")
@ledger.response(200, KeyList)
@ledger.doc(security=[])
def list_ledger_keys() -> Any:
    """The public keys that signed receipts and heads; compare their ids with a notice board."""
    with visitor():
        return service.list_keys()


@ledger.get("/logs")
@ledger.arguments(LogQuery, location="query")
@ledger.response(200, LogPage)
@ledger.doc(security=[])
def list_logs(query: dict[str, Any]) -> Any:
    """The logs of counties, cities and the province, each with its newest signed head."""
    with visitor():
        return service.list_logs(query["after"], query["limit"])


@ledger.get("/logs/<string:log>/head")
@ledger.response(200, HeadView)
@ledger.doc(security=[])
def get_head(log: str) -> Any:
    """The newest signed head of a log."""
    with visitor():
        return reading.head_of(_log(log))


@ledger.get("/logs/<string:log>/heads/<int:size>")
@ledger.response(200, HeadView)
@ledger.doc(security=[])
def get_head_of_size(log: str, size: int) -> Any:
    """The newest head that was signed when the log had this size."""
    with visitor():
        return reading.head_of(_log(log), _size(size))


@ledger.get("/logs/<string:log>/inclusion")
@ledger.arguments(InclusionQuery, location="query")
@ledger.response(200, InclusionView)
@ledger.doc(security=[])
def prove_inclusion(query: dict[str, Any], log: str) -> Any:
    """Where a commitment stands below a signed head, with the proof."""
    with visitor():
        return reading.inclusion(_log(log), bytes.fromhex(query["commitment"]), query["size"])


@ledger.get("/logs/<string:log>/consistency")
@ledger.arguments(ConsistencyQuery, location="query")
@ledger.response(200, ConsistencyView)
@ledger.doc(security=[])
def prove_consistency(query: dict[str, Any], log: str) -> Any:
    """The proof that the log of one signed size begins with the log of an earlier size."""
    with visitor():
        return reading.consistency(_log(log), query["first"], query["second"])


@ledger.get("/proofs/<string:commitment>")
@ledger.arguments(ProofQuery, location="query")
@ledger.response(200, ProofView)
@ledger.doc(security=[])
def get_proof(query: dict[str, Any], commitment: str) -> Any:
    """All that a receipt's owner needs to check it offline: the chain from the entry up to the province, and the keys."""
    if not re.fullmatch(r"[0-9a-f]{64}", commitment):
        raise Unknown()
    with visitor():
        return service.prove(bytes.fromhex(commitment), query["since"])


def _log(name: str) -> str:
    if not re.match(LOG, name):
        raise Unknown()
    return name


def _size(size: int) -> int:
    if not 0 < size <= _LARGEST:
        raise Unknown()
    return size
