CREATE OR REPLACE FUNCTION clues_forsaken() RETURNS TABLE (id uuid, headless boolean)
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
CREATE OR REPLACE FUNCTION may_know(account uuid, excluded uuid[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT bool_or(a.role IN ('township_discipline', 'county_discipline', 'upper_discipline', 'dispatched_group'))
     AND NOT bool_or(a.org_id = ANY (excluded)) AND account <> ALL (excluded)
    FROM appointments a JOIN staff_accounts s ON s.id = a.account_id
   CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
   WHERE a.account_id = account AND a.valid_from <= today.day AND (a.valid_to IS NULL OR a.valid_to >= today.day)
     AND (s.left_on IS NULL OR s.left_on > today.day)
$$;
DROP FUNCTION discipline_staff();
