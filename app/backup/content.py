"""What of the database is content, and what stands in its place once the case is erased.

One table says it for back-ups; the SQL function `erase_content` does it in the database. A test compares the two on filled tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

# Rows that hang on no case are sealed under a key of their own, kept under this id. Nothing erases it.
NO_CASE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Content:
    """The content of one table.

    columns: for each column that erasure overwrites, the SQL of what stands there afterwards. gone: the SQL condition for rows
    that erasure deletes. case: the SQL of the id of the case; NULL for a row of no case.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    gone: str = "false"
    case: str = "t.petition_id"


_UNLESS_PETITIONER = "CASE WHEN t.{0}_kind = 'petitioner' THEN NULL ELSE t.{0}_id END"

CONTENT: Mapping[str, Content] = {
    "public.petitions": Content(
        {
            "title": "''", "body": "''", "accused": "'[]'::jsonb", "keep_from": "'[]'::jsonb", "subject_names": "'{}'::text[]",
            "villager_id": "NULL",
        },
        case="t.id",
    ),
    "public.petition_events": Content(
        {
            "facts": "public.kept_facts(t.facts)", "actor_id": _UNLESS_PETITIONER.format("actor"),
            "salt": "CASE WHEN t.event = 'erase_content' THEN t.salt ELSE ''::bytea END",
        }
    ),
    "public.case_messages": Content({"body": "''", "author_id": _UNLESS_PETITIONER.format("author")}),
    "public.meetings": Content({"minutes": "''"}),
    "public.money_entries": Content({"note": "''"}),
    "public.ratings": Content({"reason": "NULL"}),
    "public.supervision_orders": Content({"answer": "NULL", "reason": "public.kept_reason(t.reason)"}),
    "public.exclusions": Content({"note": "NULL"}),
    "public.liftings": Content({"reason": "''"}),
    "public.attachments": Content(
        {"name": "''", "sha256": "NULL", "uploader_id": "NULL", "status": "'refused'", "refused_because": "'erased'"}
    ),
    "public.papers": Content(
        {
            "printed": "jsonb_build_object('number', t.printed->'number', 'body', t.printed->'body',"
            " 'basis', t.printed->'basis', 'remedy', t.printed->'remedy')"
        }
    ),
    "public.paper_deliveries": Content({"note": "''"}),
    "public.data_requests": Content(
        {"wish": "''", "reason": "NULL", "algorithm": "NULL", "nonce": "NULL", "ciphertext": "NULL", "recovery_mac": "NULL"}
    ),
    "public.identity_openings": Content({"reason": "'erased with the content of the case'"}),
    "public.case_reads": Content({"purpose": "CASE WHEN t.what = 'identity' THEN 'opening' ELSE t.purpose END"}),
    "public.inquiries": Content({"purpose": "''"}),
    "public.inbox": Content(gone="t.account_id IS NULL"),
    "sealed.identities": Content(gone="true"),
    # Of no case: what erasing a case leaves alone, but lies in no back-up in clear. Receipts with their PINs, codes and
    # one-time passwords on their way, telephone numbers.
    "public.idempotency_keys": Content({"answer": "'{}'::jsonb"}, case="NULL::uuid"),
    "public.outbox": Content({"address": "NULL", "params": "'{}'::jsonb", "last_error": "NULL"}, case="NULL::uuid"),
    "public.one_time_codes": Content({"phone": "''"}, case="NULL::uuid"),
}  # fmt: skip

# Made anew from the content when it is there again.
DERIVED: Mapping[str, str] = {
    "public.petition_words": "SELECT p.id, public.bigrams(p.title || ' ' || p.body) FROM public.petitions p"
}

# In the file of the keys, and in no dump.
KEYS = ("sealed.content_keys", "sealed.data_keys")
