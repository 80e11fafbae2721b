ALTER FUNCTION search_petitions(text, integer) RESET plan_cache_mode;

ALTER POLICY excluded ON petitions USING (
  nullif(current_setting('mj.org', true), '')::uuid = ANY (excluded_org_ids) IS NOT TRUE
  AND nullif(current_setting('mj.person', true), '')::uuid = ANY (excluded_account_ids) IS NOT TRUE
);
ALTER POLICY noted_down ON petitions RENAME TO written_down;
ALTER POLICY seen ON sealed.identities USING (
  EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id) AND clue_lets(petition_id)
  AND (current_setting('mj.kind', true) = 'petitioner'
       OR (way = 'named' AND current_setting('mj.role', true) IN (
             'township_office', 'township_discipline', 'department_handler', 'dispatched_group',
             'petition_office', 'county_discipline', 'upper_discipline'))
       OR (current_setting('mj.purpose', true) = 'open_identity'
           AND EXISTS (SELECT 1 FROM identity_openings o JOIN identity_grants g ON g.opening_id = o.id
                        WHERE o.petition_id = identities.petition_id AND mj_serves(o.account_id, o.role, o.org_id)
                          AND g.at <= mj_now() + interval '1 minute' AND mj_now() < g.until))));
ALTER POLICY of_a_clue ON sealed.data_keys USING (
  petition_id IN (SELECT clues_read())
  OR (current_setting('mj.kind', true) = 'petitioner' AND EXISTS (SELECT 1 FROM clues c WHERE c.id = data_keys.petition_id)));
DROP FUNCTION opening_in_force(uuid), clue_is_seen(uuid);
