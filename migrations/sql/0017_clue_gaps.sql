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
$$;
REVOKE ALL ON FUNCTION clue_hearers(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION clue_hearers(uuid[]) TO mj_worker;
