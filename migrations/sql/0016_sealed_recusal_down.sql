CREATE OR REPLACE FUNCTION hide_from_excluded() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
DROP FUNCTION leave_the_list(uuid);
ALTER POLICY seen ON exclusions USING (
  current_setting('mj.kind', true) = 'staff'
  AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id
                 AND (p.owner_org_id = nullif(current_setting('mj.org', true), '')::uuid
                      OR current_setting('mj.role', true) IN ('petition_office', 'county_discipline', 'upper_discipline'))));
DROP TABLE recusal_subjects;
