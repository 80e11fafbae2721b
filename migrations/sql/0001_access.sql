-- Who may touch which table, and who sees which row.
--
-- The web and worker roles own nothing, so every policy binds them. The owner is not forced: it migrates, backs up and
-- imports, and no serving process may connect as it (the application refuses to start as owner).

CREATE FUNCTION mj_setting(name text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('mj.' || name, true), '');

-- Every two neighbouring characters: what a search for a Chinese word of two characters or more can use an index on.
CREATE FUNCTION bigrams(words text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
  SELECT coalesce(array_agg(DISTINCT a || b), '{}')
    FROM (SELECT c AS a, lead(c) OVER (ORDER BY n) AS b
            FROM unnest(string_to_array(lower(words), NULL)) WITH ORDINALITY AS u(c, n)) pairs
   WHERE b IS NOT NULL
$$;

CREATE INDEX gin_petitions_words ON petitions USING gin (bigrams(title || ' ' || body));

-- Text operators are not leakproof and so can not use an index below a policy. This function applies the actor's own
-- scope inside and returns ids only; the caller joins them under the policy.
CREATE FUNCTION search_petitions(q text, most integer) RETURNS TABLE (id uuid)
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

-- Signing in with a receipt happens before there is an actor. The caller must know number and keyed digest of the PIN.
CREATE FUNCTION receipt_petition(given_serial text, given_mac text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT id FROM petitions WHERE serial = given_serial AND pin_mac = given_mac
$$;
REVOKE ALL ON FUNCTION search_petitions(text, integer), receipt_petition(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_petitions(text, integer), receipt_petition(text, text) TO mj_web;

-- Delivery is woken at commit, once a statement.
CREATE FUNCTION wake_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('outbox', '');
  RETURN NULL;
END $$;
CREATE TRIGGER outbox_wakes_delivery AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION wake_delivery();

-- Rights. Nobody but the owner may change or delete what has happened.
GRANT SELECT ON divisions, organisations, persons, posts, kinships, holidays, holiday_years, policy_overrides, clock_offset,
                staff_accounts, appointments TO mj_web, mj_worker;
GRANT UPDATE ON staff_accounts, appointments TO mj_web;
GRANT INSERT ON appointments TO mj_web;
GRANT SELECT, INSERT, UPDATE ON petitions, deadlines, supervision_orders, attachments TO mj_web;
GRANT SELECT, INSERT ON petitioners, petition_events, ratings, case_messages, meetings, money_entries TO mj_web;
GRANT SELECT, INSERT, UPDATE ON sessions, one_time_codes TO mj_web;
GRANT SELECT, INSERT ON villagers, idempotency_keys TO mj_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON attempts TO mj_web;
GRANT SELECT, INSERT, UPDATE ON outbox TO mj_web;
GRANT SELECT, UPDATE ON inbox TO mj_web;
GRANT SELECT ON job_runs TO mj_web;

GRANT SELECT, UPDATE ON petitions, attachments TO mj_worker;
GRANT SELECT, INSERT, UPDATE ON deadlines, supervision_orders, outbox TO mj_worker;
GRANT SELECT, INSERT ON petition_events, inbox, job_runs TO mj_worker;
GRANT SELECT ON petitioners, villagers TO mj_worker;
GRANT SELECT, DELETE ON sessions, one_time_codes, attempts, idempotency_keys TO mj_worker;

-- Petitions. Division codes compare bytewise; [lo, hi) is the area of the actor's organisation. Without an actor every
-- setting is NULL or empty, and nothing is visible.
ALTER TABLE petitions ENABLE ROW LEVEL SECURITY;
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
CREATE POLICY swept ON petitions TO mj_worker
  USING (current_setting('mj.kind', true) = 'system') WITH CHECK (current_setting('mj.kind', true) = 'system');

-- What hangs on a petition is seen with it.
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['petition_events', 'deadlines', 'supervision_orders', 'ratings', 'case_messages', 'meetings',
                           'money_entries', 'attachments', 'petitioners'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY swept ON %I TO mj_worker USING (current_setting(''mj.kind'', true) = ''system'') '
                   'WITH CHECK (current_setting(''mj.kind'', true) = ''system'')', t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['petition_events', 'deadlines', 'supervision_orders', 'ratings', 'meetings', 'money_entries', 'attachments'] LOOP
    EXECUTE format('CREATE POLICY seen ON %I FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))', t);
  END LOOP;
  -- Somebody who files without an account may write the first rows of a case that he can not read.
  FOREACH t IN ARRAY ARRAY['petition_events', 'deadlines', 'petitioners'] LOOP
    EXECUTE format('CREATE POLICY written ON %I FOR INSERT TO mj_web WITH CHECK (current_setting(''mj.kind'', true) IN (''staff'', ''petitioner''))', t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['supervision_orders', 'ratings', 'case_messages', 'meetings', 'money_entries', 'attachments'] LOOP
    EXECUTE format('CREATE POLICY written ON %I FOR INSERT TO mj_web WITH CHECK (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))', t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['deadlines', 'supervision_orders', 'attachments'] LOOP
    EXECUTE format('CREATE POLICY changed ON %I FOR UPDATE TO mj_web USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))', t);
  END LOOP;
END $$;

-- Internal notes stay inside; identity is for the petitioner and for those who handle the case.
CREATE POLICY seen ON case_messages FOR SELECT TO mj_web USING (
  EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)
  AND (NOT internal OR current_setting('mj.kind', true) = 'staff'));
CREATE POLICY seen ON petitioners FOR SELECT TO mj_web USING (
  EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)
  AND (current_setting('mj.kind', true) = 'petitioner'
       OR current_setting('mj.role', true) IN ('township_office', 'township_discipline', 'department_handler', 'dispatched_group',
                                               'petition_office', 'county_discipline', 'upper_discipline')));

-- Messages: everybody may put one into the outbox; only dead letters are seen, by those who can mend them.
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY swept ON outbox TO mj_worker USING (current_setting('mj.kind', true) = 'system') WITH CHECK (current_setting('mj.kind', true) = 'system');
CREATE POLICY written ON outbox FOR INSERT TO mj_web WITH CHECK (current_setting('mj.kind', true) IN ('staff', 'petitioner'));
-- A resend makes the letter pending again, so its new version must pass as well: seen by those roles in either state.
CREATE POLICY dead ON outbox FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff' AND status IN ('dead', 'pending') AND template <> 'one_time_code'
  AND (current_setting('mj.role', true) = 'system_admin'
       OR (current_setting('mj.role', true) IN ('petition_office', 'township_office', 'county_discipline', 'upper_discipline')
           AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))));
CREATE POLICY resent ON outbox FOR UPDATE TO mj_web USING (current_setting('mj.kind', true) = 'staff' AND status = 'dead')
  WITH CHECK (current_setting('mj.kind', true) = 'staff' AND status = 'pending');

ALTER TABLE inbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY swept ON inbox TO mj_worker USING (current_setting('mj.kind', true) = 'system') WITH CHECK (current_setting('mj.kind', true) = 'system');
CREATE POLICY own ON inbox TO mj_web USING (
  CASE current_setting('mj.kind', true)
    WHEN 'staff' THEN account_id = nullif(current_setting('mj.person', true), '')::uuid
    WHEN 'petitioner' THEN villager_id = nullif(current_setting('mj.person', true), '')::uuid
                        OR (villager_id IS NULL AND account_id IS NULL AND petition_id = nullif(current_setting('mj.petition', true), '')::uuid)
    ELSE false END);
