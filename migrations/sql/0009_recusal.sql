-- Recusal (回避): who must withdraw from a case, in force from the row that says so.

ALTER TABLE petitions
  ADD COLUMN keep_from jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN subject_names text[] NOT NULL DEFAULT '{}',
  ADD COLUMN excluded_org_ids uuid[] NOT NULL DEFAULT '{}',
  ADD COLUMN excluded_account_ids uuid[] NOT NULL DEFAULT '{}',
  ADD COLUMN recusals integer NOT NULL DEFAULT 0;
UPDATE petitions SET excluded_org_ids = accused_org_ids,
       subject_names = ARRAY(SELECT DISTINCT one ->> 'name' FROM jsonb_array_elements(accused) one);

CREATE INDEX ix_petitions_subjects ON petitions USING gin (subject_names);
CREATE INDEX ix_petitions_accused ON petitions USING gin (accused_org_ids);
CREATE INDEX ix_petitions_excluded ON petitions USING gin (excluded_org_ids);
CREATE INDEX ix_petitions_unled ON petitions (id) WHERE owner_org_id IS NULL AND level > 0;
CREATE INDEX ix_persons_name ON persons (name);
CREATE INDEX ix_staff_accounts_name ON staff_accounts (name);

CREATE TABLE exclusions (
  id uuid NOT NULL,
  petition_id uuid NOT NULL,
  account_id uuid,
  org_id uuid,
  reason text NOT NULL,
  rests_on uuid,
  kin_scope text,
  note text,
  since timestamptz NOT NULL,
  CONSTRAINT pk_exclusions PRIMARY KEY (id),
  CONSTRAINT fk_exclusions_petition_id FOREIGN KEY (petition_id) REFERENCES petitions (id),
  CONSTRAINT fk_exclusions_account_id FOREIGN KEY (account_id) REFERENCES staff_accounts (id),
  CONSTRAINT fk_exclusions_org_id FOREIGN KEY (org_id) REFERENCES organisations (id),
  CONSTRAINT ck_exclusions_one CHECK ((account_id IS NULL) <> (org_id IS NULL))
);
CREATE UNIQUE INDEX ix_exclusions_once ON exclusions (petition_id, account_id, org_id) NULLS NOT DISTINCT;

-- What changed in the directory, or who has newly withdrawn, until the worker has looked at the cases that it touches.
CREATE TABLE directory_changes (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  at timestamptz NOT NULL DEFAULT now(),
  person_id uuid,
  account_id uuid,
  org_id uuid,
  petition_id uuid,
  CONSTRAINT pk_directory_changes PRIMARY KEY (id)
);
CREATE INDEX ix_directory_changes_at ON directory_changes (at);

-- An exclusion holds from the statement that writes it: the row policies read the two arrays, and a request never writes
-- them but when it files. As owner, because it also touches what the writer has no right to: the cases merged into this one,
-- which hide from everybody their leading case hides from, and the queue of the worker.
CREATE FUNCTION hide_from_excluded() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE petitions p
     SET excluded_account_ids = CASE WHEN NEW.account_id IS NULL THEN p.excluded_account_ids
                                     ELSE array_append(p.excluded_account_ids, NEW.account_id) END,
         excluded_org_ids = CASE WHEN NEW.org_id IS NULL THEN p.excluded_org_ids
                                 ELSE array_append(p.excluded_org_ids, NEW.org_id) END
   WHERE p.id = NEW.petition_id
     AND (NEW.account_id = ANY (p.excluded_account_ids)) IS NOT TRUE
     AND (NEW.org_id = ANY (p.excluded_org_ids)) IS NOT TRUE;
  IF FOUND THEN
    INSERT INTO directory_changes (petition_id) VALUES (NEW.petition_id);
  END IF;
  INSERT INTO exclusions (id, petition_id, account_id, org_id, reason, since)
  SELECT gen_random_uuid(), p.id, NEW.account_id, NEW.org_id, 'linked_case', NEW.since
    FROM petitions p WHERE p.parent_id = NEW.petition_id AND p.state = 'merged'
      ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER exclusion_hides AFTER INSERT ON exclusions FOR EACH ROW EXECUTE FUNCTION hide_from_excluded();

CREATE FUNCTION note_directory_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  changed jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
BEGIN
  CASE TG_TABLE_NAME
    WHEN 'persons' THEN INSERT INTO directory_changes (person_id) VALUES ((changed ->> 'id')::uuid);
    WHEN 'posts' THEN INSERT INTO directory_changes (person_id, org_id) VALUES ((changed ->> 'person_id')::uuid, (changed ->> 'org_id')::uuid);
    WHEN 'kinships' THEN INSERT INTO directory_changes (person_id)
         VALUES ((changed ->> 'person_id')::uuid), ((changed ->> 'relative_id')::uuid);
    WHEN 'staff_accounts' THEN INSERT INTO directory_changes (account_id, person_id) VALUES ((changed ->> 'id')::uuid, (changed ->> 'person_id')::uuid);
    WHEN 'appointments' THEN INSERT INTO directory_changes (account_id, org_id) VALUES ((changed ->> 'account_id')::uuid, (changed ->> 'org_id')::uuid);
    WHEN 'organisations' THEN INSERT INTO directory_changes (org_id) VALUES ((changed ->> 'id')::uuid);
  END CASE;
  RETURN NULL;
END $$;
CREATE TRIGGER changes_are_noted AFTER INSERT OR DELETE OR UPDATE OF name, division_code ON persons
  FOR EACH ROW EXECUTE FUNCTION note_directory_change();
CREATE TRIGGER changes_are_noted AFTER INSERT OR DELETE OR UPDATE ON posts
  FOR EACH ROW EXECUTE FUNCTION note_directory_change();
CREATE TRIGGER changes_are_noted AFTER INSERT OR DELETE OR UPDATE ON kinships
  FOR EACH ROW EXECUTE FUNCTION note_directory_change();
CREATE TRIGGER changes_are_noted AFTER INSERT OR DELETE OR UPDATE OF name, person_id, left_on ON staff_accounts
  FOR EACH ROW EXECUTE FUNCTION note_directory_change();
CREATE TRIGGER changes_are_noted AFTER INSERT OR DELETE OR UPDATE ON appointments
  FOR EACH ROW EXECUTE FUNCTION note_directory_change();
CREATE TRIGGER changes_are_noted AFTER INSERT OR DELETE OR UPDATE OF parent_id, active ON organisations
  FOR EACH ROW EXECUTE FUNCTION note_directory_change();

-- For rows that carry the id of a case which their reader does not see anyway, as dead letters and the inbox.
CREATE FUNCTION mj_excluded(petition uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition
                    AND (mj_setting('org')::uuid = ANY (p.excluded_org_ids) OR mj_setting('person')::uuid = ANY (p.excluded_account_ids)))
$$;
REVOKE ALL ON FUNCTION mj_excluded(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mj_excluded(uuid) TO mj_web;

GRANT SELECT, INSERT ON exclusions TO mj_web, mj_worker;
GRANT SELECT, INSERT, DELETE ON directory_changes TO mj_worker;

-- Whoever must withdraw does not see that the case exists, whatever any other policy shows them. Anybody may write one down,
-- which names a body of their own, or themselves.
CREATE POLICY excluded ON petitions AS RESTRICTIVE TO mj_web USING (
  nullif(current_setting('mj.org', true), '')::uuid = ANY (excluded_org_ids) IS NOT TRUE
  AND nullif(current_setting('mj.person', true), '')::uuid = ANY (excluded_account_ids) IS NOT TRUE
) WITH CHECK (true);

DROP POLICY seen ON petitions;
CREATE POLICY seen ON petitions TO mj_web USING (
  division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
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
  AND current_setting('mj.kind', true) = 'staff'
  AND filed_by_id = nullif(current_setting('mj.person', true), '')::uuid
  AND state IN ('filed', 'registered', 'accepted')
) WITH CHECK (current_setting('mj.kind', true) = 'staff');

CREATE OR REPLACE FUNCTION search_petitions(q text, most integer) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT p.id FROM petitions p
   WHERE bigrams(p.title || ' ' || p.body) @> bigrams(q)
     AND position(lower(q) IN lower(p.title || ' ' || p.body)) > 0
     AND mj_setting('org')::uuid = ANY (p.excluded_org_ids) IS NOT TRUE
     AND mj_setting('person')::uuid = ANY (p.excluded_account_ids) IS NOT TRUE
     AND p.division_code >= current_setting('mj.lo', true) AND p.division_code < current_setting('mj.hi', true)
     AND CASE mj_setting('reach')
           WHEN 'area' THEN p.state <> 'sealed' OR mj_setting('role') IN ('county_discipline', 'upper_discipline', 'township_discipline')
           WHEN 'assigned' THEN p.main_org_id = mj_setting('org')::uuid OR p.co_org_ids @> ARRAY[mj_setting('org')::uuid]
           ELSE false END
   ORDER BY p.filed_at DESC, p.id DESC LIMIT least(most, 200)
$$;

-- Why somebody is excluded is for the office in charge and for those who supervise it.
ALTER TABLE exclusions ENABLE ROW LEVEL SECURITY;
CREATE POLICY swept ON exclusions TO mj_worker USING (current_setting('mj.kind', true) = 'system') WITH CHECK (current_setting('mj.kind', true) = 'system');
CREATE POLICY written ON exclusions FOR INSERT TO mj_web WITH CHECK (current_setting('mj.kind', true) IN ('staff', 'petitioner'));
CREATE POLICY seen ON exclusions FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff'
  AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id
                 AND (p.owner_org_id = nullif(current_setting('mj.org', true), '')::uuid
                      OR current_setting('mj.role', true) IN ('petition_office', 'county_discipline', 'upper_discipline'))));
ALTER TABLE directory_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY swept ON directory_changes TO mj_worker USING (current_setting('mj.kind', true) = 'system') WITH CHECK (current_setting('mj.kind', true) = 'system');

DROP POLICY dead ON outbox;
CREATE POLICY dead ON outbox FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff' AND status IN ('dead', 'pending')
  AND template NOT IN ('one_time_code', 'one_time_password')
  AND (current_setting('mj.role', true) = 'system_admin'
       OR (current_setting('mj.role', true) IN ('petition_office', 'township_office', 'county_discipline', 'upper_discipline')
           AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)))
  AND NOT mj_excluded(petition_id));

DROP POLICY own ON inbox;
CREATE POLICY own ON inbox TO mj_web USING (
  CASE current_setting('mj.kind', true)
    WHEN 'staff' THEN account_id = nullif(current_setting('mj.person', true), '')::uuid AND NOT mj_excluded(petition_id)
    WHEN 'petitioner' THEN villager_id = nullif(current_setting('mj.person', true), '')::uuid
                        OR (villager_id IS NULL AND account_id IS NULL AND petition_id = nullif(current_setting('mj.petition', true), '')::uuid)
    ELSE false END);

-- The auditor sees who read a case without seeing the case; not of one from which they must withdraw.
DROP POLICY seen ON case_reads;
CREATE POLICY seen ON case_reads FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff'
  AND division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  AND (current_setting('mj.role', true) = 'auditor'
       OR (current_setting('mj.role', true) IN ('township_discipline', 'county_discipline', 'upper_discipline')
           AND (petition_id IS NULL OR EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))))
  AND NOT mj_excluded(petition_id));

-- Erasing takes the names of those the petition was kept from, and what somebody said of their reasons.
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
