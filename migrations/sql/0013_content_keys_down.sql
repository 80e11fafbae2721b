CREATE OR REPLACE FUNCTION erase_content(given uuid) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  kept CONSTANT text[] := '{priority,level,simple,anonymous,unreachable,channel,days,grade,office_grade,outcome,reason_code,
    route_code,main_org_id,co_org_ids,co_org_id,parent_id,policy,kind,amount_fen,org_ids,opening_id,until,from_id,to_id,
    request_id,decision,ground,state,main_excluded,office_excluded,added,handler}';
BEGIN
  DELETE FROM sealed.data_keys WHERE petition_id = given;
  DELETE FROM sealed.identities WHERE petition_id = given;
  UPDATE petitions SET title = '', body = '', accused = '[]', keep_from = '[]', subject_names = '{}', villager_id = NULL,
                       erased_at = mj_now() WHERE id = given;
  UPDATE exclusions SET note = NULL WHERE petition_id = given;
  UPDATE petition_events SET facts = (SELECT coalesce(jsonb_object_agg(f.key, f.value), '{}') FROM jsonb_each(facts) f
                                       WHERE f.key = ANY (kept)),
                             actor_id = CASE WHEN actor_kind = 'petitioner' THEN NULL ELSE actor_id END
   WHERE petition_id = given;
  UPDATE case_messages SET body = '', author_id = CASE WHEN author_kind = 'petitioner' THEN NULL ELSE author_id END
   WHERE petition_id = given;
  UPDATE meetings SET minutes = '' WHERE petition_id = given;
  UPDATE money_entries SET note = '' WHERE petition_id = given;
  UPDATE ratings SET reason = NULL WHERE petition_id = given;
  UPDATE supervision_orders SET answer = NULL WHERE petition_id = given;
  UPDATE attachments SET name = '', sha256 = NULL, uploader_id = NULL, status = 'refused', refused_because = 'erased'
   WHERE petition_id = given;
  UPDATE data_requests SET wish = '', algorithm = NULL, nonce = NULL, ciphertext = NULL WHERE petition_id = given;
  UPDATE identity_openings SET reason = 'erased with the content of the case' WHERE petition_id = given;
  UPDATE case_reads SET purpose = 'opening' WHERE petition_id = given AND what = 'identity';
  DELETE FROM inbox WHERE petition_id = given AND account_id IS NULL;
END $$;
DROP FUNCTION kept_facts(jsonb), kept_reason(text);
DROP TABLE sealed.content_keys;
