-- What an attack with bare SQL found open: four doors that only the application kept shut.

-- 1. Nobody writes on a case that they do not see. Filing without an account must be able to write the first rows of a case that
-- its writer can not read, so a policy could only ask who writes. Asked after the statement instead, the question has an
-- answer: the case is visible, or this very transaction wrote its row, as a filing does, or whoever has just withdrawn.
CREATE FUNCTION mj_wrote(petition uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
  RETURN EXISTS (SELECT 1 FROM public.petitions p WHERE p.id = petition AND p.xmin = pg_current_xact_id()::xid);
REVOKE ALL ON FUNCTION mj_wrote(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mj_wrote(uuid) TO mj_web;

-- Called for each row that is written: what it reads is named with its schema instead of by a setting that costs more than the
-- question, and what answers most often is asked first.
CREATE FUNCTION require_sight() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.petition_id IS NULL OR EXISTS (SELECT 1 FROM public.petitions p WHERE p.id OPERATOR(pg_catalog.=) NEW.petition_id)
     OR public.mj_wrote(NEW.petition_id)
     -- A reader of a clue may serve outside the area of its petition.
     OR EXISTS (SELECT 1 FROM public.clues c WHERE c.petition_id OPERATOR(pg_catalog.=) NEW.petition_id) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'nobody writes on a case that they do not see' USING ERRCODE = 'insufficient_privilege';
END $$;
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['petition_events', 'deadlines', 'exclusions', 'outbox', 'sealed.identities', 'sealed.data_keys'] LOOP
    -- Its name comes before that of `exclusion_hides`, which would hide or rewrite the case first.
    EXECUTE 'CREATE TRIGGER case_is_seen AFTER INSERT ON ' || t
         || ' FOR EACH ROW WHEN (current_user = ''mj_web'') EXECUTE FUNCTION require_sight()';
  END LOOP;
END $$;

-- 2. An UPDATE that reads no column is bound by the policies for UPDATE alone: these two asked only who writes, and so let a
-- statement without WHERE change the letters and requests of every area.
ALTER POLICY resent ON outbox USING (
  current_setting('mj.kind', true) = 'staff' AND status = 'dead'
  AND template NOT IN ('one_time_code', 'one_time_password')
  AND (current_setting('mj.role', true) = 'system_admin'
       OR (current_setting('mj.role', true) IN ('petition_office', 'township_office', 'county_discipline', 'upper_discipline')
           AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)))
  AND NOT mj_excluded(petition_id));
ALTER POLICY decided ON data_requests USING (
  current_setting('mj.kind', true) = 'staff' AND decision IS NULL
  AND current_setting('mj.role', true) IN ('petition_office', 'township_office')
  AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));

-- 3. A temporary table is found before one of the schema. Written as text, these two looked up their tables when they were
-- called, so that whoever made a temporary `appointments` or `clock_offset` held any appointment, and any grant for ever.
-- Written so, they name the tables of today.
CREATE OR REPLACE FUNCTION mj_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
  RETURN now() + coalesce((SELECT seconds FROM public.clock_offset), 0) * interval '1 second';
CREATE OR REPLACE FUNCTION mj_serves(account uuid, as_role text, at_org uuid) RETURNS boolean LANGUAGE sql STABLE
  RETURN current_setting('mj.kind', true) = 'staff'
     AND account = nullif(current_setting('mj.person', true), '')::uuid
     AND as_role = current_setting('mj.role', true)
     AND at_org = nullif(current_setting('mj.org', true), '')::uuid
     AND EXISTS (SELECT 1 FROM public.appointments a JOIN public.staff_accounts s ON s.id = a.account_id
                  WHERE a.account_id = account AND a.role = as_role AND a.org_id = at_org
                    AND a.valid_from <= (public.mj_now() AT TIME ZONE 'Asia/Shanghai')::date
                    AND (a.valid_to IS NULL OR a.valid_to >= (public.mj_now() AT TIME ZONE 'Asia/Shanghai')::date)
                    AND (s.left_on IS NULL OR s.left_on > (public.mj_now() AT TIME ZONE 'Asia/Shanghai')::date));

-- 4. A visitor had to find the account of a phone, and so saw every account. Now the database compares, and an account is its
-- owner's alone.
CREATE FUNCTION villager_of_phone(given_mac text) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT id FROM villagers WHERE phone_mac = given_mac
$$;
REVOKE ALL ON FUNCTION villager_of_phone(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION villager_of_phone(text) TO mj_web;
ALTER POLICY own ON villagers USING (
  current_setting('mj.kind', true) = 'petitioner' AND current_setting('mj.reach', true) = 'own'
  AND id = nullif(current_setting('mj.person', true), '')::uuid);

-- A letter that is sent again is the same letter: nobody writes another address or text into it.
REVOKE UPDATE ON outbox FROM mj_web;
GRANT UPDATE (status, attempts, next_attempt_at) ON outbox TO mj_web;

-- Serving requests ends appointments and changes secrets; who is who, and who holds which post, is the owner's to write.
REVOKE INSERT, UPDATE ON appointments FROM mj_web;
GRANT UPDATE (valid_to) ON appointments TO mj_web;
REVOKE UPDATE ON staff_accounts FROM mj_web;
GRANT UPDATE (password_hash, must_change_password, password_set_at, totp_secret, totp_confirmed_at, totp_last_step, left_on)
  ON staff_accounts TO mj_web;
