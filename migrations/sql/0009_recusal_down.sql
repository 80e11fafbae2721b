-- Back to bodies alone: what was computed stays in the column that its policies read.

UPDATE petitions SET accused_org_ids = excluded_org_ids;

DROP POLICY dead ON outbox;
CREATE POLICY dead ON outbox FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff' AND status IN ('dead', 'pending')
  AND template NOT IN ('one_time_code', 'one_time_password')
  AND (current_setting('mj.role', true) = 'system_admin'
       OR (current_setting('mj.role', true) IN ('petition_office', 'township_office', 'county_discipline', 'upper_discipline')
           AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))));

DROP POLICY seen ON case_reads;
CREATE POLICY seen ON case_reads FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff'
  AND division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  AND (current_setting('mj.role', true) = 'auditor'
       OR (current_setting('mj.role', true) IN ('township_discipline', 'county_discipline', 'upper_discipline')
           AND (petition_id IS NULL OR EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)))));

CREATE OR REPLACE FUNCTION erase_content(given uuid) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  kept CONSTANT text[] := '{priority,level,simple,anonymous,unreachable,channel,days,grade,office_grade,outcome,reason_code,
    route_code,main_org_id,co_org_ids,co_org_id,parent_id,policy,kind,amount_fen,org_ids,opening_id,until,from_id,to_id,
    request_id,decision,ground,state}';
BEGIN
  DELETE FROM sealed.data_keys WHERE petition_id = given;
  DELETE FROM sealed.identities WHERE petition_id = given;
  UPDATE petitions SET title = '', body = '', accused = '[]', villager_id = NULL, erased_at = mj_now() WHERE id = given;
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

DROP POLICY own ON inbox;
CREATE POLICY own ON inbox TO mj_web USING (
  CASE current_setting('mj.kind', true)
    WHEN 'staff' THEN account_id = nullif(current_setting('mj.person', true), '')::uuid
    WHEN 'petitioner' THEN villager_id = nullif(current_setting('mj.person', true), '')::uuid
                        OR (villager_id IS NULL AND account_id IS NULL AND petition_id = nullif(current_setting('mj.petition', true), '')::uuid)
    ELSE false END);

DROP POLICY excluded ON petitions;
DROP POLICY seen ON petitions;
CREATE POLICY seen ON petitions TO mj_web USING (
  division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  -- A body that the petition names, or where kin of the person named works, does not see it.
  AND nullif(current_setting('mj.org', true), '')::uuid = ANY (accused_org_ids) IS NOT TRUE
  AND CASE current_setting('mj.reach', true)
        -- A changed row must be visible to who changes it: an office that seals a case sees it until the transaction ends.
        WHEN 'area' THEN state <> 'sealed' OR current_setting('mj.role', true) IN ('county_discipline', 'upper_discipline', 'township_discipline')
                      OR id = nullif(current_setting('mj.leaving', true), '')::uuid
        WHEN 'assigned' THEN main_org_id = nullif(current_setting('mj.org', true), '')::uuid
                          OR co_org_ids @> ARRAY[nullif(current_setting('mj.org', true), '')::uuid]
        WHEN 'own' THEN villager_id = nullif(current_setting('mj.person', true), '')::uuid
        WHEN 'receipt' THEN id = nullif(current_setting('mj.petition', true), '')::uuid
        ELSE false END
) WITH CHECK (current_setting('mj.kind', true) IN ('staff', 'petitioner'));

DROP POLICY written_down ON petitions;
CREATE POLICY written_down ON petitions TO mj_web USING (
  division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  AND nullif(current_setting('mj.org', true), '')::uuid = ANY (accused_org_ids) IS NOT TRUE
  AND current_setting('mj.kind', true) = 'staff'
  AND filed_by_id = nullif(current_setting('mj.person', true), '')::uuid
  AND state IN ('filed', 'registered', 'accepted')
) WITH CHECK (current_setting('mj.kind', true) = 'staff');

CREATE OR REPLACE FUNCTION search_petitions(q text, most integer) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT p.id FROM petitions p
   WHERE bigrams(p.title || ' ' || p.body) @> bigrams(q)
     AND position(lower(q) IN lower(p.title || ' ' || p.body)) > 0
     AND mj_setting('org')::uuid = ANY (p.accused_org_ids) IS NOT TRUE
     AND p.division_code >= current_setting('mj.lo', true) AND p.division_code < current_setting('mj.hi', true)
     AND CASE mj_setting('reach')
           WHEN 'area' THEN p.state <> 'sealed' OR mj_setting('role') IN ('county_discipline', 'upper_discipline', 'township_discipline')
           WHEN 'assigned' THEN p.main_org_id = mj_setting('org')::uuid OR p.co_org_ids @> ARRAY[mj_setting('org')::uuid]
           ELSE false END
   ORDER BY p.filed_at DESC, p.id DESC LIMIT least(most, 200)
$$;

DROP FUNCTION mj_excluded(uuid);
DROP TRIGGER changes_are_noted ON persons;
DROP TRIGGER changes_are_noted ON posts;
DROP TRIGGER changes_are_noted ON kinships;
DROP TRIGGER changes_are_noted ON staff_accounts;
DROP TRIGGER changes_are_noted ON appointments;
DROP TRIGGER changes_are_noted ON organisations;
DROP TABLE directory_changes;
DROP TABLE exclusions;
DROP FUNCTION note_directory_change();
DROP FUNCTION hide_from_excluded();
DROP INDEX ix_persons_name, ix_staff_accounts_name;
DROP INDEX ix_petitions_unled, ix_petitions_accused;
ALTER TABLE petitions DROP COLUMN keep_from, DROP COLUMN subject_names, DROP COLUMN excluded_org_ids,
  DROP COLUMN excluded_account_ids, DROP COLUMN recusals;
