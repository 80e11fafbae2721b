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
CREATE INDEX ix_petitioners_phone ON petitioners (phone) WHERE part = 'petitioner' AND phone IS NOT NULL;

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

-- Somebody who lost the receipt has no actor yet. The caller must have proved the phone, and names the person as filed.
CREATE FUNCTION recoverable_petitions(given_phone text, given_name text) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT p.id FROM petitioners w JOIN petitions p ON p.id = w.petition_id
   WHERE w.part = 'petitioner' AND w.phone = given_phone AND w.name = given_name AND NOT p.anonymous
   ORDER BY p.filed_at DESC, p.id DESC LIMIT 20
$$;
REVOKE ALL ON FUNCTION genuine_paper(text, text), recoverable_petitions(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION genuine_paper(text, text), recoverable_petitions(text, text) TO mj_web;
