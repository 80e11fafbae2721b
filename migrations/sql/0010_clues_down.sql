-- Back to one general flow: sealed petitions keep their stubs, and what was sealed is lost with its tables.
ALTER POLICY seen ON sealed.identities USING (
  EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)
  AND (current_setting('mj.kind', true) = 'petitioner'
       OR (way = 'named' AND current_setting('mj.role', true) IN (
             'township_office', 'township_discipline', 'department_handler', 'dispatched_group',
             'petition_office', 'county_discipline', 'upper_discipline'))
       OR (current_setting('mj.purpose', true) = 'open_identity'
           AND EXISTS (SELECT 1 FROM identity_openings o JOIN identity_grants g ON g.opening_id = o.id
                        WHERE o.petition_id = identities.petition_id AND mj_serves(o.account_id, o.role, o.org_id)
                          AND g.at <= mj_now() + interval '1 minute' AND mj_now() < g.until))));
ALTER POLICY asked ON identity_openings WITH CHECK (
  mj_serves(account_id, role, org_id)
  AND EXISTS (SELECT 1 FROM opening_roles r WHERE r.role = identity_openings.role AND r.may_request)
  AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id AND p.way = 'confidential'));
ALTER POLICY changed ON attachments USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));
ALTER POLICY seen ON attachments USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));
ALTER POLICY seen ON petitions USING (
  division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  AND CASE current_setting('mj.reach', true)
        WHEN 'area' THEN state <> 'sealed' OR current_setting('mj.role', true) IN ('county_discipline', 'upper_discipline', 'township_discipline')
                      OR id = nullif(current_setting('mj.leaving', true), '')::uuid
        WHEN 'assigned' THEN main_org_id = nullif(current_setting('mj.org', true), '')::uuid
                          OR co_org_ids @> ARRAY[nullif(current_setting('mj.org', true), '')::uuid]
        WHEN 'own' THEN villager_id = nullif(current_setting('mj.person', true), '')::uuid
        WHEN 'receipt' THEN id = nullif(current_setting('mj.petition', true), '')::uuid
        ELSE false END
);
DROP POLICY of_a_clue ON sealed.data_keys;
DELETE FROM sealed.data_keys k WHERE EXISTS (SELECT 1 FROM clues c WHERE c.id = k.petition_id);
DROP TABLE sealed.clue_contents, clue_reads, clue_messages, clue_events, clue_readers, clues CASCADE;
DROP FUNCTION queue_clue_commitment();
DROP FUNCTION open_clue(jsonb, text), clue_lets(uuid), clues_seen(), clues_read(), clues_headed(), may_know(uuid, uuid[]);
