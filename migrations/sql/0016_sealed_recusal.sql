-- Recusal goes on under seal. Whom a sealed petition names is kept by id alone, for the worker and nobody else: it holds no key,
-- and without these ids it could not know whom a later marriage or post concerns.
CREATE TABLE recusal_subjects (
  petition_id uuid NOT NULL,
  subject_id uuid NOT NULL,
  kind text NOT NULL,
  CONSTRAINT pk_recusal_subjects PRIMARY KEY (petition_id, kind, subject_id),
  CONSTRAINT ck_recusal_subjects_kind CHECK (kind IN ('person', 'account')),
  CONSTRAINT fk_recusal_subjects_petition_id FOREIGN KEY (petition_id) REFERENCES petitions (id)
);
CREATE INDEX ix_recusal_subjects_subject ON recusal_subjects (subject_id);
GRANT INSERT ON recusal_subjects TO mj_web;
GRANT SELECT ON recusal_subjects TO mj_worker;
ALTER TABLE recusal_subjects ENABLE ROW LEVEL SECURITY;
CREATE POLICY written ON recusal_subjects FOR INSERT TO mj_web WITH CHECK (
  current_setting('mj.kind', true) = 'staff' AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));
CREATE POLICY swept ON recusal_subjects FOR SELECT TO mj_worker USING (current_setting('mj.kind', true) = 'system');

-- As in 0009, and the clue of the petition, whose list asks `may_know`, hides with it in the same statement.
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
  UPDATE clues c SET excluded_ids = array_append(c.excluded_ids, coalesce(NEW.account_id, NEW.org_id))
   WHERE c.petition_id = NEW.petition_id AND coalesce(NEW.account_id, NEW.org_id) <> ALL (c.excluded_ids);
  INSERT INTO exclusions (id, petition_id, account_id, org_id, reason, since)
  SELECT gen_random_uuid(), p.id, NEW.account_id, NEW.org_id, 'linked_case', NEW.since
    FROM petitions p WHERE p.parent_id = NEW.petition_id AND p.state = 'merged'
      ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

-- Take the excluded off the list of a clue; answers whether nobody is left to go on with it: the list is lost with them, the
-- body in charge is excluded, or none of its heads may know.
CREATE FUNCTION leave_the_list(clue uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  c clues;
  gone integer;
  today date := (mj_now() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  SELECT * INTO c FROM clues WHERE id = clue;
  UPDATE clue_readers r SET until = mj_now()
   WHERE r.clue_id = clue AND (r.until IS NULL OR r.until > mj_now())
     AND (r.account_id = ANY (c.excluded_ids)
          OR EXISTS (SELECT 1 FROM appointments a WHERE a.account_id = r.account_id AND a.org_id = ANY (c.excluded_ids)
                        AND a.valid_from <= today AND (a.valid_to IS NULL OR a.valid_to >= today)));
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN (gone > 0 AND NOT EXISTS (SELECT 1 FROM clue_readers r
                                    WHERE r.clue_id = clue AND (r.until IS NULL OR r.until > mj_now())
                                      AND may_know(r.account_id, c.excluded_ids)))
      OR (c.org_id = ANY (c.excluded_ids)) IS TRUE
      OR NOT EXISTS (SELECT 1 FROM appointments a WHERE a.org_id = c.org_id AND a.head AND a.valid_from <= today
                        AND (a.valid_to IS NULL OR a.valid_to >= today) AND may_know(a.account_id, c.excluded_ids));
END $$;
REVOKE ALL ON FUNCTION leave_the_list(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION leave_the_list(uuid) TO mj_worker;

-- Why somebody must withdraw tells whom the petition names: under seal it is for the readers of the clue.
ALTER POLICY seen ON exclusions USING (
  current_setting('mj.kind', true) = 'staff' AND clue_lets(petition_id)
  AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id
                 AND (p.owner_org_id = nullif(current_setting('mj.org', true), '')::uuid
                      OR current_setting('mj.role', true) IN ('petition_office', 'county_discipline', 'upper_discipline'))));
CREATE OR REPLACE FUNCTION may_lift(petition uuid) RETURNS boolean LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT current_setting('mj.kind', true) = 'staff' AND clue_lets(petition)
     AND current_setting('mj.role', true) IN ('petition_office', 'county_discipline', 'upper_discipline')
     AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition)
$$;
