ALTER POLICY seen ON money_entries USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));
ALTER POLICY seen ON meetings USING (
  current_setting('mj.kind', true) = 'staff' AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));
DROP FUNCTION sees_case(uuid);

CREATE OR REPLACE FUNCTION search_petitions(q text, most integer) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
  SELECT p.id FROM petition_words w JOIN petitions p ON p.id = w.petition_id
   WHERE w.words @> bigrams(q)
     AND position(lower(q) IN lower(p.title || ' ' || p.body)) > 0
     AND mj_setting('org')::uuid = ANY (p.excluded_org_ids) IS NOT TRUE
     AND mj_setting('person')::uuid = ANY (p.excluded_account_ids) IS NOT TRUE
     AND p.division_code >= current_setting('mj.lo', true) AND p.division_code < current_setting('mj.hi', true)
     AND CASE mj_setting('reach')
           WHEN 'area' THEN p.state <> 'sealed' OR mj_setting('role') IN ('county_discipline', 'upper_discipline', 'township_discipline')
           WHEN 'assigned' THEN p.main_org_id = mj_setting('org')::uuid OR p.co_org_ids @> ARRAY[mj_setting('org')::uuid]
           ELSE false END
   ORDER BY p.filed_at DESC, p.id DESC LIMIT least(most, 200)
$$;
ALTER POLICY withheld ON petitions RENAME TO excluded;
ALTER POLICY excluded ON petitions USING (
  (cardinality(excluded_org_ids) = 0
   OR nullif(current_setting('mj.org', true), '')::uuid = ANY (excluded_org_ids) IS NOT TRUE)
  AND (cardinality(excluded_account_ids) = 0
       OR nullif(current_setting('mj.person', true), '')::uuid = ANY (excluded_account_ids) IS NOT TRUE)
);
DROP POLICY shown ON petitions;
DROP POLICY seen ON petitions;
CREATE POLICY seen ON petitions TO mj_web USING (
  division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  AND CASE current_setting('mj.reach', true)
        WHEN 'area' THEN true
        WHEN 'assigned' THEN main_org_id = nullif(current_setting('mj.org', true), '')::uuid
                          OR co_org_ids @> ARRAY[nullif(current_setting('mj.org', true), '')::uuid]
                          OR (state = 'sealed' AND clue_lets(id))
        WHEN 'own' THEN villager_id = nullif(current_setting('mj.person', true), '')::uuid
        WHEN 'receipt' THEN id = nullif(current_setting('mj.petition', true), '')::uuid
        ELSE false END
) WITH CHECK (current_setting('mj.kind', true) IN ('staff', 'petitioner'));
CREATE POLICY noted_down ON petitions TO mj_web USING (
  division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  AND current_setting('mj.kind', true) = 'staff'
  AND filed_by_id = nullif(current_setting('mj.person', true), '')::uuid
  AND state IN ('filed', 'registered', 'accepted')
) WITH CHECK (current_setting('mj.kind', true) = 'staff');
DROP INDEX ix_petitions_filed_by;
DROP FUNCTION case_in_reach(petitions), case_withheld(petitions);
