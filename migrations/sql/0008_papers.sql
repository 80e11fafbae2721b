CREATE TABLE papers (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	seq INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	number TEXT NOT NULL, 
	code TEXT NOT NULL, 
	decided_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	made_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	last_on DATE, 
	printed JSONB NOT NULL, 
	maker TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	CONSTRAINT pk_papers PRIMARY KEY (id), 
	CONSTRAINT ck_papers_kind CHECK (kind IN ('acceptance', 'non_acceptance', 'redirect', 'extension', 'handling_opinion', 'review_opinion', 'recheck_opinion')), 
	CONSTRAINT uq_papers_petition_id UNIQUE (petition_id, seq), 
	CONSTRAINT fk_papers_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id), 
	CONSTRAINT uq_papers_number UNIQUE (number)
);

CREATE TABLE paper_deliveries (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	paper_id UUID NOT NULL, 
	method TEXT NOT NULL, 
	"on" DATE NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	recorded_by UUID, 
	org_id UUID, 
	note TEXT NOT NULL, 
	CONSTRAINT pk_paper_deliveries PRIMARY KEY (id), 
	CONSTRAINT ck_paper_deliveries_method CHECK (method IN ('online', 'post', 'in_person', 'refused')), 
	CONSTRAINT fk_paper_deliveries_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id), 
	CONSTRAINT fk_paper_deliveries_paper_id FOREIGN KEY(paper_id) REFERENCES papers (id)
);
CREATE INDEX ix_paper_deliveries_paper_id ON paper_deliveries (paper_id);
CREATE INDEX ix_paper_deliveries_petition_id ON paper_deliveries (petition_id);
CREATE UNIQUE INDEX ix_paper_deliveries_once ON paper_deliveries (paper_id) WHERE method = 'online';

-- A keyed digest of phone and name beside the sealed identity: it finds the case of a lost receipt and tells neither.
ALTER TABLE sealed.identities ADD COLUMN recovery_mac TEXT;
CREATE INDEX ix_identities_recovery_mac ON sealed.identities (recovery_mac) WHERE recovery_mac IS NOT NULL;
ALTER TABLE data_requests ADD COLUMN recovery_mac TEXT;

-- Appended to and never changed: nobody but the owner may update or delete. The worker has no business with papers.
GRANT SELECT, INSERT ON papers, paper_deliveries TO mj_web;

-- A paper and its delivery record are seen with the case.
ALTER TABLE papers ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON papers FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));
CREATE POLICY written ON papers FOR INSERT TO mj_web WITH CHECK (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));

-- The petitioner's opening it is delivery online, and nothing else is; what is handed over is recorded by staff.
ALTER TABLE paper_deliveries ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON paper_deliveries FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));
CREATE POLICY written ON paper_deliveries FOR INSERT TO mj_web WITH CHECK (
  EXISTS (SELECT 1 FROM papers s WHERE s.id = paper_id AND s.petition_id = paper_deliveries.petition_id)
  AND (current_setting('mj.kind', true) = 'petitioner') = (method = 'online'));

-- Anybody may ask whether a paper is genuine. The caller must know number and code and learns nothing of the case.
CREATE FUNCTION genuine_paper(given_number text, given_code text) RETURNS TABLE (kind text, decided_on date, sha256 text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT s.kind, (s.decided_at AT TIME ZONE 'Asia/Shanghai')::date, s.sha256 FROM papers s
   WHERE s.number = given_number AND s.code = given_code
$$;

-- Somebody who lost the receipt has no actor yet. The caller must have proved the phone; the digest is of that phone and of
-- the name as filed. An anonymous case has no identity, an erased one has none any more.
CREATE FUNCTION recoverable_petitions(given_mac text) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT p.id FROM sealed.identities i JOIN petitions p ON p.id = i.petition_id
   WHERE i.recovery_mac = given_mac
   ORDER BY p.filed_at DESC, p.id DESC LIMIT 20
$$;
REVOKE ALL ON FUNCTION genuine_paper(text, text), recoverable_petitions(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION genuine_paper(text, text), recoverable_petitions(text) TO mj_web;

-- As before, and the digest goes with the corrected identity.
CREATE OR REPLACE FUNCTION apply_data_request(given uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  r data_requests;
BEGIN
  SELECT * INTO r FROM data_requests WHERE id = given AND decision = 'granted' AND decided_at > mj_now() - interval '1 minute';
  IF r.kind = 'correct' AND r.ciphertext IS NOT NULL THEN
    UPDATE sealed.identities SET algorithm = r.algorithm, nonce = r.nonce, ciphertext = r.ciphertext,
                                 recovery_mac = r.recovery_mac
     WHERE petition_id = r.petition_id;
  ELSIF r.kind = 'delete' THEN
    PERFORM erase_content(r.petition_id);
  END IF;
END $$;

-- What erase_content does to a case it does to its papers and to the digests of corrections: whoever marks a case as
-- erased. Kind, number, code, days and hash stay, so that a paper in somebody's hands is still found genuine.
CREATE FUNCTION erase_papers() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE papers SET printed = jsonb_build_object('number', printed->'number', 'body', printed->'body',
                                                 'basis', printed->'basis', 'remedy', printed->'remedy')
   WHERE petition_id = NEW.id;
  UPDATE paper_deliveries SET note = '' WHERE petition_id = NEW.id;
  UPDATE data_requests SET recovery_mac = NULL WHERE petition_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER papers_are_erased AFTER UPDATE OF erased_at ON petitions FOR EACH ROW
  WHEN (OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL) EXECUTE FUNCTION erase_papers();

-- A look at a paper is a look at the case.
ALTER TABLE case_reads DROP CONSTRAINT ck_case_reads_what,
  ADD CONSTRAINT ck_case_reads_what CHECK (what IN ('detail', 'file', 'paper', 'identity', 'export'));
