CREATE OR REPLACE FUNCTION queue_commitment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO ledger_queue (commitment, log)
  VALUES (NEW.commitment, (SELECT left(division_code, 6) FROM petitions WHERE id = NEW.petition_id))
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION queue_clue_commitment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO ledger_queue (commitment, log) SELECT NEW.commitment, left(c.division_code, 6) FROM clues c WHERE c.id = NEW.clue_id
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

DROP TABLE ledger_padding;
ALTER TABLE ledger_queue DROP COLUMN queued_at;
