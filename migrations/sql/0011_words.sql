-- The words of a case stand beside it: a change of state enters the petition anew into every index, and this one is the
-- dearest of all, while title and text never change but to be erased.
CREATE TABLE petition_words (
  petition_id uuid NOT NULL,
  words text[] NOT NULL,
  CONSTRAINT pk_petition_words PRIMARY KEY (petition_id),
  CONSTRAINT fk_petition_words_petition_id FOREIGN KEY (petition_id) REFERENCES petitions (id) ON DELETE CASCADE
);
INSERT INTO petition_words SELECT id, bigrams(title || ' ' || body) FROM petitions;
CREATE INDEX ix_petition_words ON petition_words USING gin (words);
DROP INDEX gin_petitions_words;
ANALYZE petition_words;

-- No statement can use these: the sweep of recusals asks for them in one OR with conditions that no index answers, and reads the
-- open cases by their state.
DROP INDEX ix_petitions_subjects, ix_petitions_accused, ix_petitions_excluded;

-- No role of a serving process has any right to it: the two functions below look in as its owner.
ALTER TABLE petition_words ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION keep_words() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO petition_words VALUES (NEW.id, bigrams(NEW.title || ' ' || NEW.body))
      ON CONFLICT (petition_id) DO UPDATE SET words = excluded.words;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION keep_words() FROM PUBLIC;
CREATE TRIGGER words_are_kept AFTER INSERT OR UPDATE OF title, body ON petitions FOR EACH ROW EXECUTE FUNCTION keep_words();

CREATE OR REPLACE FUNCTION search_petitions(q text, most integer) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
