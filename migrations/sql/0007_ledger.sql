CREATE TABLE ledger_queue (
	commitment BYTEA NOT NULL,
	log TEXT COLLATE "C" NOT NULL,
	CONSTRAINT pk_ledger_queue PRIMARY KEY (commitment)
);
CREATE INDEX ix_ledger_queue_log ON ledger_queue (log, commitment);

CREATE TABLE ledger_leaves (
	log TEXT COLLATE "C" NOT NULL,
	index BIGINT NOT NULL,
	commitment BYTEA NOT NULL,
	CONSTRAINT pk_ledger_leaves PRIMARY KEY (log, index)
);
CREATE UNIQUE INDEX ix_ledger_leaves_commitment ON ledger_leaves (commitment);

CREATE TABLE ledger_nodes (
	log TEXT COLLATE "C" NOT NULL,
	level INTEGER NOT NULL,
	index BIGINT NOT NULL,
	hash BYTEA NOT NULL,
	CONSTRAINT pk_ledger_nodes PRIMARY KEY (log, level, index)
);

CREATE TABLE ledger_heads (
	log TEXT COLLATE "C" NOT NULL,
	size BIGINT NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	root BYTEA NOT NULL,
	key_id TEXT NOT NULL,
	algorithm TEXT NOT NULL,
	signature TEXT NOT NULL,
	entry BYTEA NOT NULL,
	CONSTRAINT pk_ledger_heads PRIMARY KEY (log, size, at)
);
CREATE UNIQUE INDEX ix_ledger_heads_entry ON ledger_heads (entry);

CREATE TABLE ledger_keys (
	key_id TEXT NOT NULL,
	algorithm TEXT NOT NULL,
	public BYTEA NOT NULL,
	first_used_at TIMESTAMP WITH TIME ZONE NOT NULL,
	revoked_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_ledger_keys PRIMARY KEY (key_id)
);

-- The log tells nothing of any case, so everybody may read it. Nobody but the owner may change or delete what stands in it.
GRANT SELECT ON ledger_leaves, ledger_nodes, ledger_heads, ledger_keys TO mj_web, mj_worker;
GRANT INSERT ON ledger_leaves, ledger_nodes, ledger_heads, ledger_keys TO mj_worker;
GRANT SELECT, INSERT, DELETE ON ledger_queue TO mj_worker;

-- Every event queues its own commitment, whoever writes it and however: filing waits for nobody, and a row that is not
-- yet committed is simply not yet in the queue. The division is read as the owner, because somebody who files without an
-- account can not see the case.
CREATE FUNCTION queue_commitment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO ledger_queue (commitment, log)
  VALUES (NEW.commitment, (SELECT left(division_code, 6) FROM petitions WHERE id = NEW.petition_id))
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION queue_commitment() FROM PUBLIC;
CREATE TRIGGER events_are_committed AFTER INSERT ON petition_events FOR EACH ROW EXECUTE FUNCTION queue_commitment();
