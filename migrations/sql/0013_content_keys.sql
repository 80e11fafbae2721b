-- The key under which a back-up seals what a case says. Nothing in the database is encrypted with it: it exists so that it can be
-- destroyed, and with it the content in every back-up made before. No reference to anything, as sealed.data_keys.
CREATE TABLE sealed.content_keys (
	petition_id UUID NOT NULL,
	key BYTEA NOT NULL,
	CONSTRAINT pk_content_keys PRIMARY KEY (petition_id),
	CONSTRAINT ck_content_keys_length CHECK (length(key) = 32)
);
-- Neither web nor worker may read, make or destroy one but by erasing the case: no grant, and no policy that would let them.
ALTER TABLE sealed.content_keys ENABLE ROW LEVEL SECURITY;

-- What of the facts of an event stays when its case is erased: codes, ids, days and amounts.
CREATE FUNCTION kept_facts(facts jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
  SELECT coalesce(jsonb_object_agg(f.key, f.value), '{}') FROM jsonb_each(facts) f
   WHERE f.key = ANY ('{priority,level,simple,anonymous,unreachable,channel,days,grade,office_grade,outcome,reason_code,
    route_code,main_org_id,co_org_ids,co_org_id,parent_id,policy,kind,amount_fen,org_ids,opening_id,until,from_id,to_id,
    request_id,decision,ground,state,main_excluded,office_excluded,added,handler}'::text[])
$$;

-- The words of whoever issued an order are content, the codes of the clock are not.
CREATE FUNCTION kept_reason(reason text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
  SELECT CASE WHEN reason IN ('overdue', 'dissatisfied', 'silent', 'circling') THEN reason ELSE '' END
$$;
REVOKE ALL ON FUNCTION kept_facts(jsonb), kept_reason(text) FROM PUBLIC;

-- As before, and: the key of the content goes, the salts with it whoever erases, the written reasons of supervision orders and of
-- decisions about data requests. What is overwritten here stands in app/backup/content.py as well, and a test compares the two.
CREATE OR REPLACE FUNCTION erase_content(given uuid) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM sealed.content_keys WHERE petition_id = given;
  DELETE FROM sealed.data_keys WHERE petition_id = given;
  DELETE FROM sealed.identities WHERE petition_id = given;
  UPDATE petitions SET title = '', body = '', accused = '[]', keep_from = '[]', subject_names = '{}', villager_id = NULL,
                       erased_at = mj_now() WHERE id = given;
  UPDATE exclusions SET note = NULL WHERE petition_id = given;
  -- Without its salt nobody finds out by trying what a commitment was made of. The event that tells of the erasure keeps its own.
  UPDATE petition_events SET facts = kept_facts(facts),
                             actor_id = CASE WHEN actor_kind = 'petitioner' THEN NULL ELSE actor_id END,
                             salt = CASE WHEN event = 'erase_content' THEN salt ELSE '' END
   WHERE petition_id = given;
  UPDATE case_messages SET body = '', author_id = CASE WHEN author_kind = 'petitioner' THEN NULL ELSE author_id END
   WHERE petition_id = given;
  UPDATE meetings SET minutes = '' WHERE petition_id = given;
  UPDATE money_entries SET note = '' WHERE petition_id = given;
  UPDATE ratings SET reason = NULL WHERE petition_id = given;
  UPDATE supervision_orders SET answer = NULL, reason = kept_reason(reason) WHERE petition_id = given;
  UPDATE attachments SET name = '', sha256 = NULL, uploader_id = NULL, status = 'refused', refused_because = 'erased'
   WHERE petition_id = given;
  UPDATE data_requests SET wish = '', reason = NULL, algorithm = NULL, nonce = NULL, ciphertext = NULL WHERE petition_id = given;
  UPDATE identity_openings SET reason = 'erased with the content of the case' WHERE petition_id = given;
  UPDATE case_reads SET purpose = 'opening' WHERE petition_id = given AND what = 'identity';
  DELETE FROM inbox WHERE petition_id = given AND account_id IS NULL;
END $$;
