-- One-click queries 一键查询: who asked the records about whom, when and why.

-- Each use of the records for one person, company or village. Appended, never changed.
CREATE TABLE inquiries (
    id uuid CONSTRAINT pk_inquiries PRIMARY KEY,
    at timestamptz NOT NULL,
    account_id uuid NOT NULL CONSTRAINT fk_inquiries_account_id REFERENCES staff_accounts,
    role text NOT NULL,
    org_id uuid NOT NULL CONSTRAINT fk_inquiries_org_id REFERENCES organisations,
    division_code text COLLATE "C" NOT NULL,
    subject_kind text NOT NULL,
    subject text NOT NULL,
    revealed boolean NOT NULL,
    purpose text NOT NULL,
    petition_id uuid CONSTRAINT fk_inquiries_petition_id REFERENCES petitions,
    alert_id uuid,
    counts jsonb NOT NULL,
    CONSTRAINT ck_inquiries_subject_kind CHECK (subject_kind IN ('person', 'company', 'place'))
);
CREATE INDEX ix_inquiries_place ON inquiries (division_code, at DESC, id DESC);
CREATE INDEX ix_inquiries_account ON inquiries (account_id, at DESC, id DESC);
CREATE INDEX ix_inquiries_petition_id ON inquiries (petition_id) WHERE petition_id IS NOT NULL;

GRANT SELECT, INSERT ON inquiries TO mj_web;
ALTER TABLE inquiries ENABLE ROW LEVEL SECURITY;

-- Whoever may see records asks under their own name, about a case only if they see it.
CREATE POLICY written ON inquiries FOR INSERT TO mj_web WITH CHECK (
  current_setting('mj.kind', true) = 'staff' AND account_id = nullif(current_setting('mj.person', true), '')::uuid
  AND role = current_setting('mj.role', true) AND org_id = nullif(current_setting('mj.org', true), '')::uuid
  AND role IN ('township_discipline', 'dispatched_group', 'county_discipline', 'upper_discipline')
  AND starts_with(division_code, current_setting('mj.lo', true))
  AND (petition_id IS NULL OR EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)));
-- As with reads of cases: the auditor sees who asked and why, a discipline body as far as it sees the case that was asked for.
CREATE POLICY seen ON inquiries FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff'
  AND division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  AND (current_setting('mj.role', true) = 'auditor'
       OR (current_setting('mj.role', true) IN ('township_discipline', 'county_discipline', 'upper_discipline')
           AND (petition_id IS NULL OR EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))))
  AND NOT mj_excluded(petition_id));

-- Why somebody asked may repeat what the case said: it goes with the case. Who asked, when, and how much was found stays.
CREATE FUNCTION erase_inquiries() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE inquiries SET purpose = '' WHERE petition_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER inquiries_are_erased AFTER UPDATE OF erased_at ON petitions FOR EACH ROW
  WHEN (OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL) EXECUTE FUNCTION erase_inquiries();
