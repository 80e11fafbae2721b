CREATE INDEX gin_petitions_words ON petitions USING gin (bigrams(title || ' ' || body));
CREATE INDEX ix_petitions_subjects ON petitions USING gin (subject_names);
CREATE INDEX ix_petitions_accused ON petitions USING gin (accused_org_ids);
CREATE INDEX ix_petitions_excluded ON petitions USING gin (excluded_org_ids);

CREATE OR REPLACE FUNCTION search_petitions(q text, most integer) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT p.id FROM petitions p
   WHERE bigrams(p.title || ' ' || p.body) @> bigrams(q)
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

DROP TRIGGER words_are_kept ON petitions;
DROP FUNCTION keep_words();
DROP TABLE petition_words;
