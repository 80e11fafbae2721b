-- Who files stands apart from what they file: a schema of its own, sealed by the application, opened by rule.

-- The product's clock, as app.clock reads it: a demonstration may have moved it.
CREATE FUNCTION mj_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT now() + coalesce((SELECT seconds FROM clock_offset), 0) * interval '1 second'
$$;

ALTER TABLE petitions ADD COLUMN way text;
UPDATE petitions SET way = CASE WHEN anonymous THEN 'anonymous' ELSE 'named' END;
ALTER TABLE petitions ALTER COLUMN way SET NOT NULL,
  ADD CONSTRAINT ck_petitions_way CHECK (way IN ('named', 'confidential', 'anonymous')),
  DROP COLUMN anonymous;

-- The way is chosen once, by the petitioner: nobody makes a confidential case a named one.
CREATE FUNCTION keep_the_way() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the way in which a petition was filed is never changed' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER way_is_kept BEFORE UPDATE OF way ON petitions FOR EACH ROW
  WHEN (OLD.way IS DISTINCT FROM NEW.way) EXECUTE FUNCTION keep_the_way();

CREATE SCHEMA sealed;
CREATE TABLE sealed.identities (
	petition_id UUID NOT NULL,
	way TEXT NOT NULL,
	algorithm TEXT NOT NULL,
	nonce BYTEA NOT NULL,
	ciphertext BYTEA NOT NULL,
	CONSTRAINT pk_identities PRIMARY KEY (petition_id),
	CONSTRAINT ck_identities_way CHECK (way IN ('named', 'confidential')),
	CONSTRAINT fk_identities_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
-- No reference to anything: this table is backed up apart, and its rows are destroyed on their own.
CREATE TABLE sealed.data_keys (
	petition_id UUID NOT NULL,
	key_id TEXT NOT NULL,
	algorithm TEXT NOT NULL,
	nonce BYTEA NOT NULL,
	wrapped BYTEA NOT NULL,
	CONSTRAINT pk_data_keys PRIMARY KEY (petition_id)
);

-- The worker delivers without knowing to whom: it holds no right here.
GRANT USAGE ON SCHEMA sealed TO mj_web;
GRANT SELECT, INSERT ON sealed.identities, sealed.data_keys TO mj_web;
ALTER TABLE sealed.identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE sealed.data_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY written ON sealed.identities FOR INSERT TO mj_web
  WITH CHECK (current_setting('mj.kind', true) IN ('staff', 'petitioner'));
CREATE POLICY written ON sealed.data_keys FOR INSERT TO mj_web
  WITH CHECK (current_setting('mj.kind', true) IN ('staff', 'petitioner'));

-- A telephone number of an account is found by its HMAC and read by its owner alone. The migration fills both columns.
ALTER TABLE villagers ADD COLUMN phone_mac text, ADD COLUMN sealed jsonb;
ALTER TABLE villagers ENABLE ROW LEVEL SECURITY;
REVOKE SELECT ON villagers FROM mj_worker;
CREATE POLICY own ON villagers FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'petitioner' AND current_setting('mj.reach', true) = 'own'
  AND (nullif(current_setting('mj.person', true), '') IS NULL OR id = nullif(current_setting('mj.person', true), '')::uuid));
CREATE POLICY made ON villagers FOR INSERT TO mj_web WITH CHECK (current_setting('mj.kind', true) = 'petitioner');

-- Break-glass 破窗: which roles may ask for a confidential identity to be opened, and which may grant it. Data, so that an
-- operator can make it narrower.
CREATE TABLE opening_roles (
	role TEXT NOT NULL,
	may_request BOOLEAN NOT NULL,
	may_grant BOOLEAN NOT NULL,
	CONSTRAINT pk_opening_roles PRIMARY KEY (role)
);
INSERT INTO opening_roles VALUES
  ('township_office', true, false), ('township_discipline', true, false), ('department_handler', true, false), ('dispatched_group', true, false),
  ('petition_office', true, true), ('county_discipline', true, true), ('upper_discipline', true, true);

CREATE TABLE identity_openings (
	id UUID NOT NULL,
	petition_id UUID NOT NULL,
	account_id UUID NOT NULL,
	role TEXT NOT NULL,
	org_id UUID NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	reason TEXT NOT NULL,
	CONSTRAINT pk_identity_openings PRIMARY KEY (id),
	CONSTRAINT ck_identity_openings_reason CHECK (char_length(reason) >= 20),
	CONSTRAINT fk_identity_openings_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id),
	CONSTRAINT fk_identity_openings_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id),
	CONSTRAINT fk_identity_openings_org_id FOREIGN KEY(org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_identity_openings_petition_id ON identity_openings (petition_id);
CREATE TABLE identity_grants (
	opening_id UUID NOT NULL,
	petition_id UUID NOT NULL,
	account_id UUID NOT NULL,
	role TEXT NOT NULL,
	org_id UUID NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	until TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_identity_grants PRIMARY KEY (opening_id),
	CONSTRAINT ck_identity_grants_short CHECK (until > at AND until <= at + interval '24 hours'),
	CONSTRAINT fk_identity_grants_opening_id FOREIGN KEY(opening_id) REFERENCES identity_openings (id),
	CONSTRAINT fk_identity_grants_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id),
	CONSTRAINT fk_identity_grants_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id),
	CONSTRAINT fk_identity_grants_org_id FOREIGN KEY(org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_identity_grants_petition_id ON identity_grants (petition_id);

GRANT SELECT ON opening_roles TO mj_web;
GRANT SELECT, INSERT ON identity_openings, identity_grants TO mj_web;
ALTER TABLE identity_openings ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity_grants ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON identity_openings FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));
CREATE POLICY seen ON identity_grants FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));

-- Whoever asks or grants is the person of this transaction, and really holds the appointment it claims: checked here and
-- not in the application, so that a mistake there opens nothing.
CREATE FUNCTION mj_serves(account uuid, as_role text, at_org uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT current_setting('mj.kind', true) = 'staff'
     AND account = nullif(current_setting('mj.person', true), '')::uuid
     AND as_role = current_setting('mj.role', true)
     AND at_org = nullif(current_setting('mj.org', true), '')::uuid
     AND EXISTS (SELECT 1 FROM appointments a JOIN staff_accounts s ON s.id = a.account_id
                  WHERE a.account_id = account AND a.role = as_role AND a.org_id = at_org
                    AND a.valid_from <= (mj_now() AT TIME ZONE 'Asia/Shanghai')::date
                    AND (a.valid_to IS NULL OR a.valid_to >= (mj_now() AT TIME ZONE 'Asia/Shanghai')::date)
                    AND (s.left_on IS NULL OR s.left_on > (mj_now() AT TIME ZONE 'Asia/Shanghai')::date))
$$;
CREATE POLICY asked ON identity_openings FOR INSERT TO mj_web WITH CHECK (
  mj_serves(account_id, role, org_id)
  AND EXISTS (SELECT 1 FROM opening_roles r WHERE r.role = identity_openings.role AND r.may_request)
  AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id AND p.way = 'confidential'));
-- The second person: another account, another body, and not the same human being under another account.
CREATE POLICY granted ON identity_grants FOR INSERT TO mj_web WITH CHECK (
  mj_serves(account_id, role, org_id)
  AND EXISTS (SELECT 1 FROM opening_roles r WHERE r.role = identity_grants.role AND r.may_grant)
  AND EXISTS (SELECT 1 FROM identity_openings o
                JOIN staff_accounts asker ON asker.id = o.account_id
                JOIN staff_accounts granter ON granter.id = identity_grants.account_id
               WHERE o.id = opening_id AND o.petition_id = identity_grants.petition_id
                 AND o.account_id <> identity_grants.account_id AND o.org_id <> identity_grants.org_id
                 AND (asker.person_id IS DISTINCT FROM granter.person_id OR asker.person_id IS NULL))
  AND at <= mj_now() + interval '1 minute');

CREATE POLICY seen ON sealed.identities FOR SELECT TO mj_web USING (
  EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)
  AND (current_setting('mj.kind', true) = 'petitioner'
       OR (way = 'named' AND current_setting('mj.role', true) IN (
             'township_office', 'township_discipline', 'department_handler', 'dispatched_group',
             'petition_office', 'county_discipline', 'upper_discipline'))
       -- A grant in force, for whoever asked, and only in a transaction that says what it is for.
       OR (current_setting('mj.purpose', true) = 'open_identity'
           AND EXISTS (SELECT 1 FROM identity_openings o JOIN identity_grants g ON g.opening_id = o.id
                        WHERE o.petition_id = identities.petition_id AND mj_serves(o.account_id, o.role, o.org_id)
                          AND g.at <= mj_now() + interval '1 minute' AND mj_now() < g.until))));
CREATE POLICY seen ON sealed.data_keys FOR SELECT TO mj_web USING (
  EXISTS (SELECT 1 FROM sealed.identities i WHERE i.petition_id = data_keys.petition_id));

-- Reads of case content on record. The web role adds to it and changes nothing; who reads writes under its own name.
CREATE TABLE case_reads (
	id UUID NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	account_id UUID NOT NULL,
	role TEXT NOT NULL,
	org_id UUID NOT NULL,
	petition_id UUID,
	division_code TEXT COLLATE "C" NOT NULL,
	what TEXT NOT NULL,
	purpose TEXT NOT NULL,
	details JSONB NOT NULL,
	CONSTRAINT pk_case_reads PRIMARY KEY (id),
	CONSTRAINT ck_case_reads_what CHECK (what IN ('detail', 'file', 'identity', 'export')),
	CONSTRAINT fk_case_reads_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id),
	CONSTRAINT fk_case_reads_org_id FOREIGN KEY(org_id) REFERENCES organisations (id),
	CONSTRAINT fk_case_reads_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
CREATE INDEX ix_case_reads_case ON case_reads (petition_id, at DESC, id DESC);
CREATE INDEX ix_case_reads_account ON case_reads (account_id, at DESC, id DESC);
CREATE INDEX ix_case_reads_place ON case_reads (division_code, at DESC, id DESC);
GRANT SELECT, INSERT ON case_reads TO mj_web;
ALTER TABLE case_reads ENABLE ROW LEVEL SECURITY;
CREATE POLICY written ON case_reads FOR INSERT TO mj_web WITH CHECK (
  current_setting('mj.kind', true) = 'staff' AND account_id = nullif(current_setting('mj.person', true), '')::uuid
  AND role = current_setting('mj.role', true) AND org_id = nullif(current_setting('mj.org', true), '')::uuid);
-- The auditor sees who read, not what stands in the case; a discipline body sees it for the cases that it sees.
CREATE POLICY seen ON case_reads FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff'
  AND division_code >= current_setting('mj.lo', true) AND division_code < current_setting('mj.hi', true)
  AND (current_setting('mj.role', true) = 'auditor'
       OR (current_setting('mj.role', true) IN ('township_discipline', 'county_discipline', 'upper_discipline')
           AND (petition_id IS NULL OR EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)))));

-- My data 我的信息 (个人信息保护法 Arts 45 to 50): what a petitioner asks for, answered within fifteen working days.
ALTER TABLE petitions ADD COLUMN erased_at TIMESTAMP WITH TIME ZONE;
CREATE TABLE data_requests (
	id UUID NOT NULL,
	petition_id UUID NOT NULL,
	kind TEXT NOT NULL,
	wish TEXT NOT NULL,
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
	due_on DATE NOT NULL,
	provisional BOOLEAN NOT NULL,
	algorithm TEXT,
	nonce BYTEA,
	ciphertext BYTEA,
	decision TEXT,
	ground TEXT,
	reason TEXT,
	decided_at TIMESTAMP WITH TIME ZONE,
	decided_by UUID,
	decided_org_id UUID,
	CONSTRAINT pk_data_requests PRIMARY KEY (id),
	CONSTRAINT ck_data_requests_kind CHECK (kind IN ('correct', 'delete')),
	CONSTRAINT ck_data_requests_decision CHECK (decision IN ('granted', 'refused')),
	CONSTRAINT ck_data_requests_reasoned CHECK (decision IS DISTINCT FROM 'refused' OR ground IS NOT NULL),
	CONSTRAINT fk_data_requests_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id),
	CONSTRAINT fk_data_requests_decided_by FOREIGN KEY(decided_by) REFERENCES staff_accounts (id),
	CONSTRAINT fk_data_requests_decided_org_id FOREIGN KEY(decided_org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_data_requests_petition_id ON data_requests (petition_id);
CREATE INDEX ix_data_requests_open ON data_requests (due_on, id) WHERE decision IS NULL;
GRANT SELECT, INSERT, UPDATE (decision, ground, reason, decided_at, decided_by, decided_org_id) ON data_requests TO mj_web;
ALTER TABLE data_requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY asked ON data_requests FOR INSERT TO mj_web WITH CHECK (
  current_setting('mj.kind', true) = 'petitioner' AND decision IS NULL
  AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));
CREATE POLICY seen ON data_requests FOR SELECT TO mj_web USING (
  EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)
  AND (current_setting('mj.kind', true) = 'petitioner'
       OR current_setting('mj.role', true) IN ('petition_office', 'township_office')));
CREATE POLICY decided ON data_requests FOR UPDATE TO mj_web
  USING (current_setting('mj.kind', true) = 'staff' AND decision IS NULL)
  WITH CHECK (current_setting('mj.kind', true) = 'staff' AND decision IS NOT NULL
              AND decided_by = nullif(current_setting('mj.person', true), '')::uuid
              AND decided_org_id = nullif(current_setting('mj.org', true), '')::uuid);

-- How long a case is kept after its end, by the way it ended. A state without a row is kept for good.
CREATE TABLE retention_rules (
	state TEXT NOT NULL,
	years INTEGER NOT NULL,
	CONSTRAINT pk_retention_rules PRIMARY KEY (state),
	CONSTRAINT ck_retention_rules_years CHECK (years > 0)
);
INSERT INTO retention_rules VALUES ('rated', 10), ('closed', 10), ('explained', 10), ('final', 10), ('ended', 10),
  ('withdrawn', 5), ('not_accepted', 5), ('redirected', 5);

-- Erasing: the data key goes, and with it every copy of the sealed identity; what stands in clear is overwritten. States,
-- instants, grades, outcomes and codes stay, so that the case still proves that it ran, when, and how it ended.
CREATE FUNCTION erase_content(given uuid) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  kept CONSTANT text[] := '{priority,level,simple,anonymous,unreachable,channel,days,grade,office_grade,outcome,reason_code,
    route_code,main_org_id,co_org_ids,co_org_id,parent_id,policy,kind,amount_fen,org_ids,opening_id,until,from_id,to_id,
    request_id,decision,ground,state}';
BEGIN
  DELETE FROM sealed.data_keys WHERE petition_id = given;
  DELETE FROM sealed.identities WHERE petition_id = given;
  UPDATE petitions SET title = '', body = '', accused = '[]', villager_id = NULL, erased_at = mj_now() WHERE id = given;
  UPDATE petition_events SET facts = (SELECT coalesce(jsonb_object_agg(f.key, f.value), '{}') FROM jsonb_each(facts) f
                                       WHERE f.key = ANY (kept)),
                             actor_id = CASE WHEN actor_kind = 'petitioner' THEN NULL ELSE actor_id END
   WHERE petition_id = given;
  UPDATE case_messages SET body = '', author_id = CASE WHEN author_kind = 'petitioner' THEN NULL ELSE author_id END
   WHERE petition_id = given;
  UPDATE meetings SET minutes = '' WHERE petition_id = given;
  UPDATE money_entries SET note = '' WHERE petition_id = given;
  UPDATE ratings SET reason = NULL WHERE petition_id = given;
  UPDATE supervision_orders SET answer = NULL WHERE petition_id = given;
  UPDATE attachments SET name = '', sha256 = NULL, uploader_id = NULL, status = 'refused', refused_because = 'erased'
   WHERE petition_id = given;
  UPDATE data_requests SET wish = '', algorithm = NULL, nonce = NULL, ciphertext = NULL WHERE petition_id = given;
  UPDATE identity_openings SET reason = 'erased with the content of the case' WHERE petition_id = given;
  UPDATE case_reads SET purpose = 'opening' WHERE petition_id = given AND what = 'identity';
  DELETE FROM inbox WHERE petition_id = given AND account_id IS NULL;
END $$;
REVOKE ALL ON FUNCTION erase_content(uuid) FROM PUBLIC;

-- What follows from a granted request. The new identity was sealed by the petitioner's own transaction: whoever grants it
-- need not see it, and the web role needs no right to change an identity.
CREATE FUNCTION apply_data_request(given uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  r data_requests;
BEGIN
  SELECT * INTO r FROM data_requests WHERE id = given AND decision = 'granted' AND decided_at > mj_now() - interval '1 minute';
  IF r.kind = 'correct' AND r.ciphertext IS NOT NULL THEN
    UPDATE sealed.identities SET algorithm = r.algorithm, nonce = r.nonce, ciphertext = r.ciphertext
     WHERE petition_id = r.petition_id;
  ELSIF r.kind = 'delete' THEN
    PERFORM erase_content(r.petition_id);
  END IF;
END $$;
REVOKE ALL ON FUNCTION apply_data_request(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apply_data_request(uuid) TO mj_web;
