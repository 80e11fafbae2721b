-- The exclusion of a namesake is lifted by two people of two bodies, on record, and can be put back by one.

ALTER TABLE petitions ADD COLUMN cleared_ids uuid[] NOT NULL DEFAULT '{}';

CREATE TABLE liftings (
  id uuid NOT NULL,
  petition_id uuid NOT NULL,
  bearer_id uuid NOT NULL,
  cleared_ids uuid[] NOT NULL,
  account_id uuid NOT NULL,
  role text NOT NULL,
  org_id uuid NOT NULL,
  at timestamptz NOT NULL,
  reason text NOT NULL,
  CONSTRAINT pk_liftings PRIMARY KEY (id),
  CONSTRAINT fk_liftings_petition_id FOREIGN KEY (petition_id) REFERENCES petitions (id),
  CONSTRAINT fk_liftings_account_id FOREIGN KEY (account_id) REFERENCES staff_accounts (id),
  CONSTRAINT fk_liftings_org_id FOREIGN KEY (org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_liftings_petition_id ON liftings (petition_id);

CREATE TABLE lifting_steps (
  lifting_id uuid NOT NULL,
  step text NOT NULL,
  petition_id uuid NOT NULL,
  account_id uuid NOT NULL,
  role text NOT NULL,
  org_id uuid NOT NULL,
  at timestamptz NOT NULL,
  CONSTRAINT pk_lifting_steps PRIMARY KEY (lifting_id, step),
  CONSTRAINT ck_lifting_steps_step CHECK (step IN ('confirm', 'revoke')),
  CONSTRAINT fk_lifting_steps_lifting_id FOREIGN KEY (lifting_id) REFERENCES liftings (id),
  CONSTRAINT fk_lifting_steps_petition_id FOREIGN KEY (petition_id) REFERENCES petitions (id),
  CONSTRAINT fk_lifting_steps_account_id FOREIGN KEY (account_id) REFERENCES staff_accounts (id),
  CONSTRAINT fk_lifting_steps_org_id FOREIGN KEY (org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_lifting_steps_petition_id ON lifting_steps (petition_id);

-- A lifted exclusion stays on record; only those in force are unique, so that somebody can be excluded anew.
ALTER TABLE exclusions ADD COLUMN lifting_id uuid,
  ADD CONSTRAINT fk_exclusions_lifting_id FOREIGN KEY (lifting_id) REFERENCES liftings (id);
DROP INDEX ix_exclusions_once;
CREATE UNIQUE INDEX ix_exclusions_once ON exclusions (petition_id, account_id, org_id) NULLS NOT DISTINCT WHERE lifting_id IS NULL;

-- Who may ask and confirm: a petition office or discipline commission of the county or above, which sees the case itself.
CREATE FUNCTION may_lift(petition uuid) RETURNS boolean LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT current_setting('mj.kind', true) = 'staff'
     AND current_setting('mj.role', true) IN ('petition_office', 'county_discipline', 'upper_discipline')
     AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition)
$$;
REVOKE ALL ON FUNCTION may_lift(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION may_lift(uuid) TO mj_web;

GRANT SELECT, INSERT ON liftings, lifting_steps TO mj_web;
GRANT UPDATE (lifting_id) ON exclusions TO mj_web;
ALTER TABLE liftings ENABLE ROW LEVEL SECURITY;
ALTER TABLE lifting_steps ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON liftings FOR SELECT TO mj_web USING (may_lift(petition_id));
CREATE POLICY asked ON liftings FOR INSERT TO mj_web WITH CHECK (mj_serves(account_id, role, org_id) AND may_lift(petition_id));
CREATE POLICY seen ON lifting_steps FOR SELECT TO mj_web USING (may_lift(petition_id));
CREATE POLICY taken ON lifting_steps FOR INSERT TO mj_web WITH CHECK (
  mj_serves(account_id, role, org_id) AND may_lift(petition_id)
  AND EXISTS (SELECT 1 FROM liftings l WHERE l.id = lifting_id AND l.petition_id = lifting_steps.petition_id
                 AND (step = 'revoke' OR (l.account_id <> lifting_steps.account_id AND l.org_id <> lifting_steps.org_id))));
-- Nothing is lifted but by name, and only with a second body.
CREATE POLICY lifted ON exclusions FOR UPDATE TO mj_web USING (
  may_lift(petition_id) AND lifting_id IS NULL AND reason NOT IN ('kept_from', 'declared', 'linked_case', 'named_body')
) WITH CHECK (
  EXISTS (SELECT 1 FROM liftings l JOIN lifting_steps s ON s.lifting_id = l.id AND s.step = 'confirm'
           WHERE l.id = exclusions.lifting_id AND l.petition_id = exclusions.petition_id));

-- The reason is words about people: it goes with the content of the case, and with what is put under seal.
CREATE FUNCTION forget_lifting_reasons() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE liftings SET reason = '' WHERE petition_id = NEW.id;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION forget_lifting_reasons() FROM PUBLIC;
CREATE TRIGGER reasons_are_forgotten AFTER UPDATE ON petitions FOR EACH ROW
  WHEN ((NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL) OR (NEW.state = 'sealed' AND OLD.state <> 'sealed'))
  EXECUTE FUNCTION forget_lifting_reasons();
