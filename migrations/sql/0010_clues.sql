-- The sealed clue track: what an accusation says leaves the general tables and is kept here, for a list of named people.

CREATE TABLE clues (
	id UUID NOT NULL,
	petition_id UUID NOT NULL,
	serial TEXT NOT NULL,
	division_code TEXT COLLATE "C" NOT NULL,
	version INTEGER NOT NULL,
	opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
	state TEXT NOT NULL,
	level INTEGER NOT NULL,
	org_id UUID,
	excluded_ids UUID[] NOT NULL,
	named BOOLEAN NOT NULL,
	real_name BOOLEAN NOT NULL,
	handler_id UUID,
	proposer_id UUID,
	disposal TEXT,
	outcome TEXT,
	false_accusation TEXT,
	false_proposer_id UUID,
	clarification TEXT,
	clarification_proposer_id UUID,
	returns INTEGER NOT NULL,
	takes INTEGER NOT NULL,
	assignments INTEGER NOT NULL,
	reports INTEGER NOT NULL,
	answers INTEGER NOT NULL,
	urgings INTEGER NOT NULL,
	overdue BOOLEAN NOT NULL,
	limits JSONB NOT NULL,
	next_due_at TIMESTAMP WITH TIME ZONE,
	next_policy TEXT,
	next_event TEXT,
	CONSTRAINT pk_clues PRIMARY KEY (id),
	CONSTRAINT uq_clues_petition_id UNIQUE (petition_id),
	CONSTRAINT ck_clues_state CHECK (state IN ('sealed', 'sent_up', 'verified_realname', 'anonymous', 'accepted', 'assigned', 'disposal_proposed', 'talk_inquiry', 'preliminary_verification', 'kept', 'closed_clue', 'case_filed', 'concluded', 'fed_back', 'archived', 'outside')),
	-- Never to nobody: only what has left the system has no body in charge.
	CONSTRAINT ck_clues_in_charge CHECK (org_id IS NOT NULL OR state = 'outside'),
	CONSTRAINT fk_clues_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id),
	CONSTRAINT fk_clues_org_id FOREIGN KEY(org_id) REFERENCES organisations (id),
	CONSTRAINT fk_clues_handler_id FOREIGN KEY(handler_id) REFERENCES staff_accounts (id),
	CONSTRAINT fk_clues_proposer_id FOREIGN KEY(proposer_id) REFERENCES staff_accounts (id),
	CONSTRAINT fk_clues_false_proposer_id FOREIGN KEY(false_proposer_id) REFERENCES staff_accounts (id),
	CONSTRAINT fk_clues_clarification_proposer_id FOREIGN KEY(clarification_proposer_id) REFERENCES staff_accounts (id)
);
CREATE INDEX ix_clues_org_id ON clues (org_id);
CREATE INDEX ix_clues_due ON clues (next_due_at, id) WHERE next_event IS NOT NULL;

CREATE TABLE clue_readers (
	id UUID NOT NULL,
	clue_id UUID NOT NULL,
	account_id UUID NOT NULL,
	granted_by UUID,
	since TIMESTAMP WITH TIME ZONE NOT NULL,
	until TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_clue_readers PRIMARY KEY (id),
	CONSTRAINT fk_clue_readers_clue_id FOREIGN KEY(clue_id) REFERENCES clues (id),
	CONSTRAINT fk_clue_readers_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id),
	CONSTRAINT fk_clue_readers_granted_by FOREIGN KEY(granted_by) REFERENCES staff_accounts (id)
);
CREATE INDEX ix_clue_readers_clue_id ON clue_readers (clue_id);
CREATE INDEX ix_clue_readers_account_id ON clue_readers (account_id);

CREATE TABLE clue_events (
	id UUID NOT NULL,
	clue_id UUID NOT NULL,
	seq INTEGER NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	clock_offset_seconds INTEGER NOT NULL,
	event TEXT NOT NULL,
	from_state TEXT,
	to_state TEXT NOT NULL,
	actor_kind TEXT NOT NULL,
	actor_id UUID,
	actor_role TEXT NOT NULL,
	org_id UUID,
	public BOOLEAN NOT NULL,
	facts JSONB NOT NULL,
	algorithm TEXT,
	nonce BYTEA,
	ciphertext BYTEA,
	salt BYTEA NOT NULL,
	commitment BYTEA NOT NULL,
	CONSTRAINT pk_clue_events PRIMARY KEY (id),
	CONSTRAINT fk_clue_events_clue_id FOREIGN KEY(clue_id) REFERENCES clues (id)
);
CREATE UNIQUE INDEX ix_clue_events_clue ON clue_events (clue_id, seq);

CREATE TABLE clue_messages (
	id UUID NOT NULL,
	clue_id UUID NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	author_kind TEXT NOT NULL,
	author_id UUID,
	algorithm TEXT NOT NULL,
	nonce BYTEA NOT NULL,
	ciphertext BYTEA NOT NULL,
	CONSTRAINT pk_clue_messages PRIMARY KEY (id),
	CONSTRAINT fk_clue_messages_clue_id FOREIGN KEY(clue_id) REFERENCES clues (id)
);
CREATE INDEX ix_clue_messages_clue_id ON clue_messages (clue_id);

CREATE TABLE clue_reads (
	id UUID NOT NULL,
	clue_id UUID NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	account_id UUID NOT NULL,
	role TEXT NOT NULL,
	org_id UUID NOT NULL,
	purpose TEXT NOT NULL,
	CONSTRAINT pk_clue_reads PRIMARY KEY (id),
	CONSTRAINT ck_clue_reads_purpose CHECK (char_length(purpose) >= 4),
	CONSTRAINT fk_clue_reads_clue_id FOREIGN KEY(clue_id) REFERENCES clues (id),
	CONSTRAINT fk_clue_reads_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id),
	CONSTRAINT fk_clue_reads_org_id FOREIGN KEY(org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_clue_reads_clue_id ON clue_reads (clue_id);

-- Its key stands in sealed.data_keys under the id of the clue, so that it is backed up apart and can be destroyed alone.
CREATE TABLE sealed.clue_contents (
	clue_id UUID NOT NULL,
	algorithm TEXT NOT NULL,
	nonce BYTEA NOT NULL,
	ciphertext BYTEA NOT NULL,
	CONSTRAINT pk_clue_contents PRIMARY KEY (clue_id),
	CONSTRAINT fk_clue_contents_clue_id FOREIGN KEY(clue_id) REFERENCES clues (id)
);

-- Who may ever stand on the list of a clue: holds a discipline post today, and has no part in a body that the clue names.
-- Every other exclusion belongs here, and only here: first readers, later ones, heads and readers are all asked by it.
CREATE FUNCTION may_know(account uuid, excluded uuid[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT bool_or(a.role IN ('township_discipline', 'county_discipline', 'upper_discipline', 'dispatched_group'))
     AND NOT bool_or(a.org_id = ANY (excluded)) AND account <> ALL (excluded)
    FROM appointments a JOIN staff_accounts s ON s.id = a.account_id
   CROSS JOIN (SELECT (mj_now() AT TIME ZONE 'Asia/Shanghai')::date AS day) today
   WHERE a.account_id = account AND a.valid_from <= today.day AND (a.valid_to IS NULL OR a.valid_to >= today.day)
     AND (s.left_on IS NULL OR s.left_on > today.day)
$$;

-- Clues of which the person of this transaction is head in charge.
CREATE FUNCTION clues_headed() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT c.id FROM clues c
   WHERE current_setting('mj.kind', true) = 'staff' AND c.org_id = mj_setting('org')::uuid
     AND current_setting('mj.role', true) IN ('township_discipline', 'county_discipline', 'upper_discipline')
     AND EXISTS (SELECT 1 FROM appointments a
                  WHERE a.account_id = mj_setting('person')::uuid AND a.org_id = c.org_id AND a.head
                    AND mj_serves(a.account_id, a.role, a.org_id)
                    AND a.valid_from <= (mj_now() AT TIME ZONE 'Asia/Shanghai')::date
                    AND (a.valid_to IS NULL OR a.valid_to >= (mj_now() AT TIME ZONE 'Asia/Shanghai')::date))
     AND may_know(mj_setting('person')::uuid, c.excluded_ids)
$$;

-- Clues whose text the person of this transaction may open: those on whose list they stand now.
CREATE FUNCTION clues_read() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT c.id FROM clue_readers r JOIN clues c ON c.id = r.clue_id
   WHERE current_setting('mj.kind', true) = 'staff' AND r.account_id = mj_setting('person')::uuid
     AND current_setting('mj.role', true) IN ('township_discipline', 'county_discipline', 'upper_discipline', 'dispatched_group')
     AND (r.until IS NULL OR r.until > mj_now()) AND may_know(r.account_id, c.excluded_ids)
$$;

CREATE FUNCTION clues_seen() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT clues_read() UNION SELECT clues_headed()
$$;

-- What hangs on a petition follows its clue: open as before where there is none, else for its readers and the petitioner.
CREATE FUNCTION clue_lets(petition uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT current_setting('mj.kind', true) = 'petitioner' OR NOT EXISTS (SELECT 1 FROM clues c WHERE c.petition_id = petition)
      OR EXISTS (SELECT 1 FROM clues c WHERE c.petition_id = petition AND c.id IN (SELECT clues_read()))
$$;

-- The way in, and the only one: clue, content and first readers are written, and the general tables overwritten, at once.
-- The caller saw the petition and the chart has just sealed it; a petition that has a clue is never sealed again.
CREATE FUNCTION open_clue(given jsonb, stub text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  c clues := jsonb_populate_record(NULL::clues, given->'clue');
  kept CONSTANT text[] := '{priority,level,simple,anonymous,unreachable,channel,days,reason_code,route_code,main_org_id,
    co_org_ids,co_org_id,parent_id,policy,kind,org_ids,opening_id,until,from_id,to_id,request_id,decision,ground,state}';
BEGIN
  PERFORM 1 FROM petitions p WHERE p.id = c.petition_id AND p.state = 'sealed' AND p.item_type = 'accusation';
  IF NOT FOUND OR current_setting('mj.kind', true) IS DISTINCT FROM 'staff' THEN
    RAISE EXCEPTION 'only an accusation that was just sealed becomes a clue' USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO clues SELECT c.*;
  INSERT INTO sealed.data_keys SELECT * FROM jsonb_populate_record(NULL::sealed.data_keys, given->'key');
  INSERT INTO sealed.clue_contents SELECT * FROM jsonb_populate_record(NULL::sealed.clue_contents, given->'content');
  INSERT INTO clue_readers SELECT * FROM jsonb_populate_recordset(NULL::clue_readers, given->'readers') r
   WHERE may_know(r.account_id, c.excluded_ids);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'a clue goes to somebody' USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO clue_events SELECT * FROM jsonb_populate_record(NULL::clue_events, given->'event');
  UPDATE petitions SET title = stub, body = '', accused = '[]', keep_from = '[]', subject_names = '{}', claimed_fen = NULL, category = 'other' WHERE id = c.petition_id;
  UPDATE petition_events SET facts = (SELECT coalesce(jsonb_object_agg(f.key, f.value), '{}') FROM jsonb_each(facts) f
                                       WHERE f.key = ANY (kept)),
                             salt = CASE WHEN event = 'route_to_discipline' THEN salt ELSE '' END
   WHERE petition_id = c.petition_id;
  UPDATE case_messages SET body = '' WHERE petition_id = c.petition_id;
  UPDATE meetings SET minutes = '' WHERE petition_id = c.petition_id;
  UPDATE money_entries SET note = '' WHERE petition_id = c.petition_id;
  UPDATE supervision_orders SET answer = NULL, reason = 'overdue' WHERE petition_id = c.petition_id;
END $$;

REVOKE ALL ON FUNCTION may_know(uuid, uuid[]), clues_headed(), clues_read(), clues_seen(), clue_lets(uuid), open_clue(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION may_know(uuid, uuid[]), clues_headed(), clues_read(), clues_seen(), clue_lets(uuid), open_clue(jsonb, text) TO mj_web;
GRANT EXECUTE ON FUNCTION may_know(uuid, uuid[]) TO mj_worker;

-- Events of clues stand in the ledger beside those of petitions: the commitment alone, which tells of neither.
CREATE FUNCTION queue_clue_commitment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO ledger_queue (commitment, log) SELECT NEW.commitment, left(c.division_code, 6) FROM clues c WHERE c.id = NEW.clue_id
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION queue_clue_commitment() FROM PUBLIC;
CREATE TRIGGER clue_events_are_committed AFTER INSERT ON clue_events FOR EACH ROW EXECUTE FUNCTION queue_clue_commitment();

GRANT SELECT, UPDATE ON clues TO mj_web, mj_worker;
GRANT SELECT, INSERT, UPDATE (until) ON clue_readers TO mj_web;
GRANT SELECT, INSERT ON clue_events TO mj_web, mj_worker;
GRANT SELECT, INSERT ON clue_messages, clue_reads TO mj_web;
GRANT SELECT ON sealed.clue_contents TO mj_web;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['clues', 'clue_readers', 'clue_events', 'clue_messages', 'clue_reads', 'sealed.clue_contents'] LOOP
    EXECUTE 'ALTER TABLE ' || t || ' ENABLE ROW LEVEL SECURITY';
  END LOOP;
END $$;
-- The clock moves clues without their text: it holds no right to content, readers and keys.
CREATE POLICY swept ON clues TO mj_worker USING (current_setting('mj.kind', true) = 'system') WITH CHECK (current_setting('mj.kind', true) = 'system');
CREATE POLICY swept ON clue_events TO mj_worker USING (current_setting('mj.kind', true) = 'system') WITH CHECK (current_setting('mj.kind', true) = 'system');

CREATE POLICY seen ON clues FOR SELECT TO mj_web USING (
  id IN (SELECT clues_seen())
  OR (current_setting('mj.kind', true) = 'petitioner' AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)));
CREATE POLICY changed ON clues FOR UPDATE TO mj_web USING (id IN (SELECT clues_seen())) WITH CHECK (current_setting('mj.kind', true) = 'staff');

CREATE POLICY seen ON clue_readers FOR SELECT TO mj_web USING (clue_id IN (SELECT clues_seen()));
-- The head in charge adds people. A reader who proposes a finding of false accusation brings it before a head of a city.
CREATE POLICY added ON clue_readers FOR INSERT TO mj_web WITH CHECK (
  granted_by = nullif(current_setting('mj.person', true), '')::uuid
  AND may_know(account_id, (SELECT c.excluded_ids FROM clues c WHERE c.id = clue_id))
  AND (clue_id IN (SELECT clues_headed())
       OR (clue_id IN (SELECT clues_read())
           AND EXISTS (SELECT 1 FROM appointments a
                        WHERE a.account_id = clue_readers.account_id AND a.head AND a.role = 'upper_discipline'))));
CREATE POLICY ended ON clue_readers FOR UPDATE TO mj_web USING (clue_id IN (SELECT clues_headed())) WITH CHECK (until IS NOT NULL);

CREATE POLICY seen ON clue_events FOR SELECT TO mj_web USING (
  clue_id IN (SELECT clues_seen())
  OR (public AND current_setting('mj.kind', true) = 'petitioner' AND EXISTS (SELECT 1 FROM clues c WHERE c.id = clue_id)));
CREATE POLICY written ON clue_events FOR INSERT TO mj_web WITH CHECK (
  clue_id IN (SELECT clues_seen()) AND mj_serves(actor_id, actor_role, org_id));

CREATE POLICY seen ON clue_messages FOR SELECT TO mj_web USING (
  clue_id IN (SELECT clues_read())
  OR (current_setting('mj.kind', true) = 'petitioner' AND EXISTS (SELECT 1 FROM clues c WHERE c.id = clue_id)));
CREATE POLICY written ON clue_messages FOR INSERT TO mj_web WITH CHECK (
  author_kind = current_setting('mj.kind', true)
  AND (clue_id IN (SELECT clues_read())
       OR (current_setting('mj.kind', true) = 'petitioner' AND EXISTS (SELECT 1 FROM clues c WHERE c.id = clue_id))));

CREATE POLICY seen ON clue_reads FOR SELECT TO mj_web USING (clue_id IN (SELECT clues_headed()));
CREATE POLICY written ON clue_reads FOR INSERT TO mj_web WITH CHECK (
  mj_serves(account_id, role, org_id) AND clue_id IN (SELECT clues_read()));

CREATE POLICY seen ON sealed.clue_contents FOR SELECT TO mj_web USING (clue_id IN (SELECT clues_read()));
-- The petitioner's own words and the feedback are sealed under the same key; the content is not theirs to fetch.
CREATE POLICY of_a_clue ON sealed.data_keys FOR SELECT TO mj_web USING (
  petition_id IN (SELECT clues_read())
  OR (current_setting('mj.kind', true) = 'petitioner' AND EXISTS (SELECT 1 FROM clues c WHERE c.id = data_keys.petition_id)));

-- The petition itself is only a stub now, so its office sees it; a reader sees the stub wherever they serve.
ALTER POLICY seen ON petitions USING (
  division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  AND CASE current_setting('mj.reach', true)
        WHEN 'area' THEN true
        WHEN 'assigned' THEN main_org_id = nullif(current_setting('mj.org', true), '')::uuid
                          OR co_org_ids @> ARRAY[nullif(current_setting('mj.org', true), '')::uuid]
                          OR (state = 'sealed' AND clue_lets(id))
        WHEN 'own' THEN villager_id = nullif(current_setting('mj.person', true), '')::uuid
        WHEN 'receipt' THEN id = nullif(current_setting('mj.petition', true), '')::uuid
        ELSE false END
);
ALTER POLICY seen ON attachments USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id) AND clue_lets(petition_id));
ALTER POLICY changed ON attachments USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id) AND clue_lets(petition_id));
ALTER POLICY asked ON identity_openings WITH CHECK (
  mj_serves(account_id, role, org_id) AND clue_lets(petition_id)
  AND EXISTS (SELECT 1 FROM opening_roles r WHERE r.role = identity_openings.role AND r.may_request)
  AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id AND p.way = 'confidential'));
ALTER POLICY seen ON sealed.identities USING (
  EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id) AND clue_lets(petition_id)
  AND (current_setting('mj.kind', true) = 'petitioner'
       OR (way = 'named' AND current_setting('mj.role', true) IN (
             'township_office', 'township_discipline', 'department_handler', 'dispatched_group',
             'petition_office', 'county_discipline', 'upper_discipline'))
       OR (current_setting('mj.purpose', true) = 'open_identity'
           AND EXISTS (SELECT 1 FROM identity_openings o JOIN identity_grants g ON g.opening_id = o.id
                        WHERE o.petition_id = identities.petition_id AND mj_serves(o.account_id, o.role, o.org_id)
                          AND g.at <= mj_now() + interval '1 minute' AND mj_now() < g.until))));
