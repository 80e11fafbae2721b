-- The receipt as it was given: dates and signed promise. Signing again gives another signature, and a later calendar other
-- dates, so that a receipt printed later has to come from what was kept.
CREATE TABLE receipts (
  petition_id uuid NOT NULL,
  promises jsonb NOT NULL,
  promise jsonb NOT NULL,
  CONSTRAINT pk_receipts PRIMARY KEY (petition_id),
  CONSTRAINT fk_receipts_petition_id FOREIGN KEY (petition_id) REFERENCES petitions (id)
);
-- The answers that were kept for repeated filings still hold those of the last thirty days.
INSERT INTO receipts (petition_id, promises, promise)
SELECT DISTINCT ON (p.id) p.id, k.answer -> 'promises', k.answer -> 'promise'
  FROM idempotency_keys k JOIN petitions p ON p.serial = k.answer ->> 'serial'
 WHERE k.answer ? 'promise' AND k.answer ? 'promises'
 ORDER BY p.id, k.created_at;

GRANT SELECT, INSERT ON receipts TO mj_web;
ALTER TABLE receipts ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON receipts FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));
CREATE POLICY written ON receipts FOR INSERT TO mj_web WITH CHECK (current_setting('mj.kind', true) IN ('staff', 'petitioner'));
-- Whoever files writes it with the case itself; nobody writes one on a case that they do not see.
CREATE TRIGGER case_is_seen AFTER INSERT ON receipts FOR EACH ROW WHEN (current_user = 'mj_web') EXECUTE FUNCTION require_sight();
