ALTER TABLE ledger_queue ADD COLUMN queued_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now();

-- What stands in the log of a county for nothing. The salt opens it, so that no event can be passed off as padding.
CREATE TABLE ledger_padding (
	commitment BYTEA NOT NULL,
	salt BYTEA NOT NULL,
	CONSTRAINT pk_ledger_padding PRIMARY KEY (commitment)
);
-- Not even the worker reads it again: who could, would know which entries are cases.
GRANT INSERT ON ledger_padding TO mj_worker;

-- The instant of the event is that of the product's clock, by which the promise of a receipt runs too.
CREATE OR REPLACE FUNCTION queue_commitment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO ledger_queue (commitment, log, queued_at)
  VALUES (NEW.commitment, (SELECT left(division_code, 6) FROM petitions WHERE id = NEW.petition_id), NEW.at)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION queue_clue_commitment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO ledger_queue (commitment, log, queued_at)
  SELECT NEW.commitment, left(c.division_code, 6), NEW.at FROM clues c WHERE c.id = NEW.clue_id
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
