-- Art 16: what belongs to a body below is sent there. Art 18: the report office hears of the result each quarter.
ALTER TABLE clues ADD COLUMN result_reported BOOLEAN NOT NULL DEFAULT false, ADD COLUMN transfers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clues ALTER COLUMN result_reported DROP DEFAULT, ALTER COLUMN transfers DROP DEFAULT;
ALTER TABLE clues DROP CONSTRAINT ck_clues_state;
ALTER TABLE clues ADD CONSTRAINT ck_clues_state CHECK (state IN ('sealed', 'sent_up', 'sent_down', 'verified_realname', 'anonymous', 'accepted', 'assigned', 'disposal_proposed', 'talk_inquiry', 'preliminary_verification', 'kept', 'closed_clue', 'case_filed', 'concluded', 'fed_back', 'archived', 'outside'));

-- Whom the delivery tells of a step. The clock holds no right to the lists; it learns who is to be told, and of nothing else.
CREATE FUNCTION clue_hearers(clues_told uuid[]) RETURNS TABLE (clue_id uuid, audience text, id uuid, email text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT c.id, 'readers', s.id, s.email
    FROM clues c JOIN clue_readers r ON r.clue_id = c.id JOIN staff_accounts s ON s.id = r.account_id
   WHERE current_setting('mj.kind', true) = 'system' AND c.id = ANY (clues_told)
     AND (r.until IS NULL OR r.until > mj_now()) AND may_know(s.id, c.excluded_ids)
  UNION
  SELECT c.id, 'clue_heads', s.id, s.email
    FROM clues c JOIN appointments a ON a.org_id = c.org_id AND a.head JOIN staff_accounts s ON s.id = a.account_id
   CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
   WHERE current_setting('mj.kind', true) = 'system' AND c.id = ANY (clues_told)
     AND a.role IN ('township_discipline', 'county_discipline', 'upper_discipline')
     AND a.valid_from <= today.day AND (a.valid_to IS NULL OR a.valid_to >= today.day) AND may_know(s.id, c.excluded_ids)
     AND NOT EXISTS (SELECT 1 FROM clue_readers r WHERE r.clue_id = c.id AND r.account_id = s.id AND (r.until IS NULL OR r.until > mj_now()))
$$;
REVOKE ALL ON FUNCTION clue_hearers(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION clue_hearers(uuid[]) TO mj_worker;

-- Heads of a body who may know today.
CREATE FUNCTION clue_heads(body uuid, excluded uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT DISTINCT a.account_id FROM appointments a CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
   WHERE a.org_id = body AND a.head AND a.role IN ('township_discipline', 'county_discipline', 'upper_discipline')
     AND a.valid_from <= today.day AND (a.valid_to IS NULL OR a.valid_to >= today.day) AND may_know(a.account_id, excluded)
$$;

-- Whether somebody on the list, who may know, is head of a discipline body of a city or the province.
CREATE FUNCTION clue_has_finder(clue uuid, excluded uuid[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM clue_readers r JOIN appointments a ON a.account_id = r.account_id JOIN organisations o ON o.id = a.org_id
                  WHERE r.clue_id = clue AND r.until IS NULL AND a.role = 'upper_discipline' AND o.level <= 2
                    AND r.account_id IN (SELECT clue_heads(a.org_id, excluded)))
$$;

-- Clues that somebody dropped out of, who left or may not know any more: of the list, as handler, as the last head in charge, or as
-- the only one who could decide on a false accusation. For the clock, which learns which, and whether the body still has a head.
CREATE FUNCTION clues_forsaken() RETURNS TABLE (id uuid, headless boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT c.id, h.headless
    FROM clues c CROSS JOIN LATERAL (SELECT NOT EXISTS (SELECT clue_heads(c.org_id, c.excluded_ids)) AS headless) h
   WHERE current_setting('mj.kind', true) = 'system' AND c.state <> 'outside' AND NOT (c.state = 'archived' AND c.result_reported)
     AND (h.headless
          OR (c.handler_id IS NOT NULL AND may_know(c.handler_id, c.excluded_ids) IS NOT TRUE)
          OR EXISTS (SELECT 1 FROM clue_readers r
                      WHERE r.clue_id = c.id AND r.until IS NULL AND may_know(r.account_id, c.excluded_ids) IS NOT TRUE)
          OR (c.false_accusation = 'proposed' AND NOT clue_has_finder(c.id, c.excluded_ids)))
   ORDER BY c.id
$$;

-- Takes off the list who may not know any more. With nobody left on it the heads of the body in charge come onto it, and for a
-- proposed finding of false accusation `finders`, heads of a city or the province. Nobody else can be put on it here.
CREATE FUNCTION pass_on_clue(given uuid, finders uuid[], moment timestamptz) RETURNS TABLE (gone uuid[], came uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  c clues;
BEGIN
  IF current_setting('mj.kind', true) IS DISTINCT FROM 'system' THEN
    RAISE EXCEPTION 'only the clock passes clues on' USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT * INTO STRICT c FROM clues WHERE id = given;
  WITH ended AS (UPDATE clue_readers r SET until = moment
                  WHERE r.clue_id = given AND r.until IS NULL AND may_know(r.account_id, c.excluded_ids) IS NOT TRUE RETURNING account_id)
  SELECT coalesce(array_agg(account_id), '{}') INTO gone FROM ended;
  came := '{}';
  IF NOT EXISTS (SELECT 1 FROM clue_readers r WHERE r.clue_id = given AND r.until IS NULL) THEN
    came := ARRAY(SELECT clue_heads(c.org_id, c.excluded_ids));
  END IF;
  IF c.false_accusation = 'proposed' AND NOT clue_has_finder(given, c.excluded_ids) THEN
    came := came || ARRAY(SELECT DISTINCT a.account_id FROM appointments a JOIN organisations o ON o.id = a.org_id
                           WHERE a.account_id = ANY (finders) AND a.account_id <> ALL (came) AND a.role = 'upper_discipline' AND o.level <= 2
                             AND a.account_id IN (SELECT clue_heads(a.org_id, c.excluded_ids)));
  END IF;
  INSERT INTO clue_readers (id, clue_id, account_id, since) SELECT gen_random_uuid(), given, one, moment FROM unnest(came) one;
  RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION clue_heads(uuid, uuid[]), clue_has_finder(uuid, uuid[]), clues_forsaken(), pass_on_clue(uuid, uuid[], timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION clues_forsaken(), pass_on_clue(uuid, uuid[], timestamptz) TO mj_worker;
