-- The same rows for the same readers, by index: `python benchmarks/trust.py` measures what the policies cost.

-- 1. Who sees a case, in one place each for the policies and for what runs as the owner. Both are written so that PostgreSQL puts
-- their text in the place of the call. A reach other than the reader's own compares with NULL, which an index answers at once
-- with nothing. So each condition is one that an index can answer, and those of one OR can be asked together: a CASE by reach
-- had every case of a county fetched for a department that handles a few of them.
CREATE FUNCTION case_in_reach(p petitions) RETURNS boolean LANGUAGE sql STABLE RETURN
  p.division_code >= current_setting('mj.lo', true) AND p.division_code < current_setting('mj.hi', true)
  -- All of the area: filed at any time. The place itself would be taken for the condition above it.
  AND (p.filed_at >= CASE current_setting('mj.reach', true) WHEN 'area' THEN '-infinity'::timestamptz END
       OR p.main_org_id = CASE current_setting('mj.reach', true) WHEN 'assigned' THEN nullif(current_setting('mj.org', true), '')::uuid END
       OR p.co_org_ids @> CASE current_setting('mj.reach', true) WHEN 'assigned' THEN ARRAY[nullif(current_setting('mj.org', true), '')::uuid] END
       OR (p.state = CASE current_setting('mj.reach', true) WHEN 'assigned' THEN 'sealed' END AND public.clue_lets(p.id))
       OR p.villager_id = CASE current_setting('mj.reach', true) WHEN 'own' THEN nullif(current_setting('mj.person', true), '')::uuid END
       OR p.id = CASE current_setting('mj.reach', true) WHEN 'receipt' THEN nullif(current_setting('mj.petition', true), '')::uuid END
       -- Whoever wrote it down, while it is new.
       OR (p.filed_by_id = CASE current_setting('mj.kind', true) WHEN 'staff' THEN nullif(current_setting('mj.person', true), '')::uuid END
           AND p.state IN ('filed', 'registered', 'accepted')));
-- Nearly every case has nobody who must withdraw, and to see that an array is empty is cheaper than to read who asks.
CREATE FUNCTION case_withheld(p petitions) RETURNS boolean LANGUAGE sql STABLE RETURN
  (cardinality(p.excluded_org_ids) > 0
   AND nullif(current_setting('mj.org', true), '')::uuid = ANY (p.excluded_org_ids) IS TRUE)
  OR (cardinality(p.excluded_account_ids) > 0
      AND nullif(current_setting('mj.person', true), '')::uuid = ANY (p.excluded_account_ids) IS TRUE);
REVOKE ALL ON FUNCTION case_in_reach(petitions), case_withheld(petitions) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION case_in_reach(petitions), case_withheld(petitions) TO mj_web;
CREATE INDEX ix_petitions_filed_by ON petitions (filed_by_id) WHERE filed_by_id IS NOT NULL;

-- 2. Restrictive policies come before the permissive ones, in the order of their names, and an index answers what is not leakproof
-- (the bodies that take part) for the first of them alone. So what shows a case stands in the first restrictive policy. Another
-- permissive policy would show nothing more.
DROP POLICY seen ON petitions;
DROP POLICY noted_down ON petitions;
CREATE POLICY shown ON petitions TO mj_web USING (true) WITH CHECK (true);
CREATE POLICY seen ON petitions AS RESTRICTIVE TO mj_web USING (case_in_reach(petitions))
  WITH CHECK (current_setting('mj.kind', true) IN ('staff', 'petitioner'));
ALTER POLICY excluded ON petitions RENAME TO withheld;
ALTER POLICY withheld ON petitions USING (NOT case_withheld(petitions));

-- 3. A search finds what its reader sees, by the same words. Nearly every case that has each pair of characters has them side by
-- side: of `<> 0` PostgreSQL expects that, of `> 0` that two of three have not, and then it reads every case of a county where the
-- newest are enough.
CREATE OR REPLACE FUNCTION search_petitions(q text, most integer) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
  SELECT p.id FROM petition_words w JOIN petitions p ON p.id = w.petition_id
   WHERE w.words @> bigrams(q)
     AND position(lower(q) IN lower(p.title || ' ' || p.body)) <> 0
     AND case_in_reach(p) AND NOT case_withheld(p)
   ORDER BY p.filed_at DESC, p.id DESC LIMIT least(most, 200)
$$;

-- 4. As in 0018: what stands in a function costs nothing until it is called. Most cases have no meeting, no money and no link to
-- another, and reading one made the policy of a case ready for each of the three. Runs as its caller, under their policies.
CREATE FUNCTION sees_case(petition uuid) RETURNS boolean LANGUAGE sql STABLE
  RETURN EXISTS (SELECT 1 FROM public.petitions p WHERE p.id = petition);
REVOKE ALL ON FUNCTION sees_case(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sees_case(uuid) TO mj_web;
ALTER POLICY seen ON money_entries USING (sees_case(petition_id));
ALTER POLICY seen ON meetings USING (current_setting('mj.kind', true) = 'staff' AND sees_case(petition_id));
