-- Who holds a discipline post today, with all that ties them: their bodies of whatever role, and themselves. Whoever is tied to
-- what a clue excludes may not know of it; asked for all clues at once below, and for one by `may_know`.
CREATE FUNCTION discipline_staff() RETURNS TABLE (account_id uuid, ties uuid[]) LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT a.account_id, array_agg(a.org_id) || a.account_id
    FROM public.appointments a JOIN public.staff_accounts s ON s.id = a.account_id
   CROSS JOIN (SELECT (public.mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
   WHERE a.valid_from <= today.day AND (a.valid_to IS NULL OR a.valid_to >= today.day)
     AND (s.left_on IS NULL OR s.left_on > today.day)
   GROUP BY a.account_id
  HAVING bool_or(a.role IN ('township_discipline', 'county_discipline', 'upper_discipline', 'dispatched_group'));
END;
REVOKE ALL ON FUNCTION discipline_staff() FROM PUBLIC;

CREATE OR REPLACE FUNCTION may_know(account uuid, excluded uuid[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM discipline_staff() s WHERE s.account_id = account AND NOT s.ties && excluded)
$$;

-- As in 0017, for all clues at once: the worker asks every half a minute.
CREATE OR REPLACE FUNCTION clues_forsaken() RETURNS TABLE (id uuid, headless boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH staff AS MATERIALIZED (SELECT * FROM discipline_staff()),
       heads AS MATERIALIZED (
         SELECT DISTINCT a.org_id, s.ties
           FROM appointments a JOIN staff s USING (account_id)
          CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
          WHERE a.head AND a.role IN ('township_discipline', 'county_discipline', 'upper_discipline')
            AND a.valid_from <= today.day AND (a.valid_to IS NULL OR a.valid_to >= today.day)),
       live AS MATERIALIZED (
         SELECT c.id, c.org_id, c.excluded_ids, c.handler_id, c.false_accusation FROM clues c
          WHERE current_setting('mj.kind', true) = 'system'
            AND c.state <> 'outside' AND NOT (c.state = 'archived' AND c.result_reported)),
       led AS (SELECT DISTINCT c.id FROM live c JOIN heads h ON h.org_id = c.org_id WHERE NOT h.ties && c.excluded_ids),
       dropped AS (
         SELECT c.id FROM live c JOIN clue_readers r ON r.clue_id = c.id AND r.until IS NULL LEFT JOIN staff s ON s.account_id = r.account_id
          WHERE (s.ties && c.excluded_ids) IS NOT FALSE
         UNION
         SELECT c.id FROM live c LEFT JOIN staff s ON s.account_id = c.handler_id
          WHERE c.handler_id IS NOT NULL AND (s.ties && c.excluded_ids) IS NOT FALSE
         UNION
         SELECT c.id FROM live c WHERE c.false_accusation = 'proposed' AND NOT clue_has_finder(c.id, c.excluded_ids))
  SELECT c.id, l.id IS NULL FROM live c LEFT JOIN led l ON l.id = c.id LEFT JOIN dropped d ON d.id = c.id
   WHERE l.id IS NULL OR d.id IS NOT NULL
   ORDER BY c.id
$$;
