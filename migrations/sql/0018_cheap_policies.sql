-- The same rows for the same readers, sooner: `python benchmarks/trust.py` measures what the policies cost.

-- 1. Nearly every case has nobody who must withdraw, and to see that an array is empty is cheaper than to read who asks.
ALTER POLICY excluded ON petitions USING (
  (cardinality(excluded_org_ids) = 0
   OR nullif(current_setting('mj.org', true), '')::uuid = ANY (excluded_org_ids) IS NOT TRUE)
  AND (cardinality(excluded_account_ids) = 0
       OR nullif(current_setting('mj.person', true), '')::uuid = ANY (excluded_account_ids) IS NOT TRUE)
);

-- 2. Of two policies that each show a row PostgreSQL asks the one first whose name comes last. What shows a row to nearly every
-- reader, `seen`, has to be asked before what shows it to whoever wrote it down.
ALTER POLICY written_down ON petitions RENAME TO noted_down;

-- 3. A policy that stands inside another is planned, and made ready at every execution, wherever the outer one is, however seldom
-- it is asked. In a function it costs nothing until it is called. Both run as their caller, under the policies of the caller;
-- written so, they name the tables of today (see 0014).
CREATE FUNCTION opening_in_force(petition uuid) RETURNS boolean LANGUAGE sql STABLE
  RETURN EXISTS (SELECT 1 FROM public.identity_openings o JOIN public.identity_grants g ON g.opening_id = o.id
                  WHERE o.petition_id = petition AND public.mj_serves(o.account_id, o.role, o.org_id)
                    AND g.at <= public.mj_now() + interval '1 minute' AND public.mj_now() < g.until);
CREATE FUNCTION clue_is_seen(clue uuid) RETURNS boolean LANGUAGE sql STABLE
  RETURN EXISTS (SELECT 1 FROM public.clues c WHERE c.id = clue);
REVOKE ALL ON FUNCTION opening_in_force(uuid), clue_is_seen(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION opening_in_force(uuid), clue_is_seen(uuid) TO mj_web;

ALTER POLICY seen ON sealed.identities USING (
  EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id) AND clue_lets(petition_id)
  AND (current_setting('mj.kind', true) = 'petitioner'
       OR (way = 'named' AND current_setting('mj.role', true) IN (
             'township_office', 'township_discipline', 'department_handler', 'dispatched_group',
             'petition_office', 'county_discipline', 'upper_discipline'))
       OR (current_setting('mj.purpose', true) = 'open_identity' AND opening_in_force(petition_id))));
ALTER POLICY of_a_clue ON sealed.data_keys USING (
  petition_id IN (SELECT clues_read())
  OR (current_setting('mj.kind', true) = 'petitioner' AND clue_is_seen(petition_id)));

-- 4. How to search depends on how frequent the word is and how large the area: a plan kept for any word reads every case that
-- holds a frequent one.
ALTER FUNCTION search_petitions(text, integer) SET plan_cache_mode = force_custom_plan;
