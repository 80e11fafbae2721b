-- Alerts: what the rules found, folded by fingerprint; each is decided alone, with its evidence, and never by whom it is about.

CREATE TABLE alert_sources (
	id UUID NOT NULL,
	name TEXT NOT NULL,
	key_mac TEXT NOT NULL,
	rules TEXT[] NOT NULL,
	place TEXT COLLATE "C" NOT NULL,
	valid_to DATE,
	CONSTRAINT pk_alert_sources PRIMARY KEY (id),
	CONSTRAINT uq_alert_sources_key_mac UNIQUE (key_mac)
);

-- The very document by which an alert was raised, whatever becomes of the rule.
CREATE TABLE alert_rules (
	code TEXT NOT NULL,
	version INTEGER NOT NULL,
	document JSONB NOT NULL,
	CONSTRAINT pk_alert_rules PRIMARY KEY (code, version)
);

-- Alerts of one rule in one township and run go out together; each item is still decided alone.
CREATE TABLE alert_packets (
	id UUID NOT NULL,
	rule_code TEXT NOT NULL,
	rule_version INTEGER NOT NULL,
	township TEXT COLLATE "C" NOT NULL,
	run_id UUID NOT NULL,
	made_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_alert_packets PRIMARY KEY (id)
);

CREATE TABLE alerts (
	id UUID NOT NULL,
	serial TEXT NOT NULL,
	rule_code TEXT NOT NULL,
	rule_version INTEGER NOT NULL,
	module TEXT NOT NULL,
	fingerprint TEXT COLLATE "C" NOT NULL,
	evidence_hash TEXT COLLATE "C" NOT NULL,
	alert_key TEXT COLLATE "C" NOT NULL,
	mutes TEXT[] NOT NULL,
	place TEXT COLLATE "C" NOT NULL,
	colour TEXT NOT NULL,
	money_fen BIGINT,
	happened_on DATE,
	raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
	run_id UUID,
	packet_id UUID,
	source_id UUID,
	earlier_id UUID,
	current BOOLEAN NOT NULL,
	seen_rows BIGINT[] NOT NULL,
	fresh_rows INTEGER NOT NULL,
	found_colour TEXT NOT NULL,
	persons TEXT[] NOT NULL,
	companies TEXT[] NOT NULL,
	contracts TEXT[] NOT NULL,
	subject_names TEXT[] NOT NULL,
	excluded_org_ids UUID[] NOT NULL,
	excluded_account_ids UUID[] NOT NULL,
	screened_at TIMESTAMP WITH TIME ZONE,
	hold_reason TEXT,
	closed_at TIMESTAMP WITH TIME ZONE,
	version INTEGER NOT NULL,
	state TEXT NOT NULL,
	level INTEGER NOT NULL,
	org_id UUID,
	copy_org_ids UUID[] NOT NULL,
	unit_org_id UUID,
	subject_org_ids UUID[] NOT NULL,
	cadre_level INTEGER,
	parent_id UUID,
	flood BOOLEAN NOT NULL,
	checker_ids UUID[] NOT NULL,
	assignments INTEGER NOT NULL,
	explanations INTEGER NOT NULL,
	unexplained BOOLEAN NOT NULL,
	"freeze" TEXT,
	freeze_by UUID,
	freezes INTEGER NOT NULL,
	extensions INTEGER NOT NULL,
	extension_by UUID,
	findings_by UUID,
	findings_returns INTEGER NOT NULL,
	clearance_by UUID,
	clearance_reason TEXT,
	clearance_scope TEXT,
	clearance_until DATE,
	clearances INTEGER NOT NULL,
	clearance_live BOOLEAN NOT NULL,
	papers_due BOOLEAN NOT NULL,
	sampled BOOLEAN NOT NULL,
	decided_by UUID,
	disposed BOOLEAN NOT NULL,
	proof_by UUID,
	proof_returns INTEGER NOT NULL,
	stages INTEGER NOT NULL,
	take_backs INTEGER NOT NULL,
	resolution TEXT,
	verdict TEXT,
	verdict_by UUID,
	verdict_changes INTEGER NOT NULL,
	reopenings INTEGER NOT NULL,
	urgings INTEGER NOT NULL,
	overdue BOOLEAN NOT NULL,
	limits JSONB NOT NULL,
	next_due_at TIMESTAMP WITH TIME ZONE,
	next_policy TEXT,
	next_event TEXT,
	CONSTRAINT pk_alerts PRIMARY KEY (id),
	CONSTRAINT uq_alerts_serial UNIQUE (serial),
	CONSTRAINT ck_alerts_colour CHECK (colour IN ('red', 'orange', 'yellow', 'blue')),
	CONSTRAINT fk_alerts_packet_id FOREIGN KEY(packet_id) REFERENCES alert_packets (id),
	CONSTRAINT fk_alerts_source_id FOREIGN KEY(source_id) REFERENCES alert_sources (id),
	CONSTRAINT ck_alerts_state CHECK (state IN ('filed', 'held', 'muted', 'dispatched', 'signed', 'checking', 'explaining', 'clear_requested', 'investigated', 'rectifying', 'clue_filed', 'case_filed', 'disposed', 'verifying', 'escalated', 'resolved', 'rated', 'closed', 'external', 'ended')),
	CONSTRAINT fk_alerts_earlier_id FOREIGN KEY(earlier_id) REFERENCES alerts (id),
	CONSTRAINT fk_alerts_parent_id FOREIGN KEY(parent_id) REFERENCES alerts (id),
	CONSTRAINT fk_alerts_org_id FOREIGN KEY(org_id) REFERENCES organisations (id),
	CONSTRAINT fk_alerts_unit_org_id FOREIGN KEY(unit_org_id) REFERENCES organisations (id)
);
-- Of one fingerprint one alert is current, open or closed: what is found again meets it here, whoever writes at the same time.
CREATE UNIQUE INDEX ix_alerts_current ON alerts (fingerprint) WHERE current;
CREATE INDEX ix_alerts_place ON alerts (place, raised_at);
CREATE INDEX ix_alerts_rule ON alerts (rule_code, rule_version);
CREATE INDEX ix_alerts_run ON alerts (run_id, rule_code);
CREATE INDEX ix_alerts_key ON alerts (alert_key) WHERE current;
CREATE INDEX ix_alerts_packet_id ON alerts (packet_id);
CREATE INDEX ix_alerts_earlier_id ON alerts (earlier_id);
CREATE INDEX ix_alerts_parent_id ON alerts (parent_id);
CREATE INDEX ix_alerts_org_id ON alerts (org_id);
CREATE INDEX ix_alerts_due ON alerts (next_due_at, id) WHERE next_event IS NOT NULL;
CREATE INDEX ix_alerts_unscreened ON alerts (raised_at) WHERE screened_at IS NULL;
CREATE INDEX ix_alerts_fresh ON alerts (id) WHERE fresh_rows > 0;
CREATE INDEX ix_alerts_names ON alerts USING gin (subject_names);

-- A row of a dataset is one version of a record, so that evidence stays what it was when its source is corrected. What a
-- source outside sent has no row here: its content is kept, and its number is below zero.
CREATE TABLE alert_evidence (
	alert_id UUID NOT NULL,
	row_id BIGINT NOT NULL,
	dataset TEXT NOT NULL,
	part TEXT NOT NULL,
	money_fen BIGINT,
	content JSONB,
	added_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_alert_evidence PRIMARY KEY (alert_id, row_id),
	CONSTRAINT fk_alert_evidence_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (id)
);

-- An application to clear an alert, and what became of it. Granted, it covers later hits within its scope until it ends.
CREATE TABLE alert_clearances (
	id UUID NOT NULL,
	alert_id UUID NOT NULL,
	rule_code TEXT NOT NULL,
	reason TEXT NOT NULL,
	basis TEXT NOT NULL,
	papers JSONB NOT NULL,
	scope TEXT NOT NULL,
	subject TEXT,
	amount_fen BIGINT,
	until DATE,
	papers_due_on DATE,
	asked_by UUID NOT NULL,
	asked_org_id UUID NOT NULL,
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
	decision TEXT,
	decided_by UUID,
	decided_org_id UUID,
	decided_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_alert_clearances PRIMARY KEY (id),
	CONSTRAINT ck_alert_clearances_scope CHECK (scope IN ('evidence', 'contract', 'person_rule')),
	CONSTRAINT ck_alert_clearances_decision CHECK (decision IN ('granted', 'refused', 'lapsed')),
	CONSTRAINT ck_alert_clearances_bounds CHECK (scope = 'evidence' OR (subject IS NOT NULL AND until IS NOT NULL)),
	CONSTRAINT fk_alert_clearances_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (id),
	CONSTRAINT fk_alert_clearances_asked_by FOREIGN KEY(asked_by) REFERENCES staff_accounts (id),
	CONSTRAINT fk_alert_clearances_asked_org_id FOREIGN KEY(asked_org_id) REFERENCES organisations (id),
	CONSTRAINT fk_alert_clearances_decided_by FOREIGN KEY(decided_by) REFERENCES staff_accounts (id),
	CONSTRAINT fk_alert_clearances_decided_org_id FOREIGN KEY(decided_org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_alert_clearances_alert_id ON alert_clearances (alert_id);
CREATE INDEX ix_alert_clearances_subject ON alert_clearances (rule_code, subject) WHERE decision = 'granted' AND scope <> 'evidence';

-- Hits that a clearance covers: they raise nothing, and are counted.
CREATE TABLE alert_suppressions (
	clearance_id UUID NOT NULL,
	fingerprint TEXT COLLATE "C" NOT NULL,
	evidence_hash TEXT COLLATE "C" NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_alert_suppressions PRIMARY KEY (clearance_id, fingerprint, evidence_hash),
	CONSTRAINT fk_alert_suppressions_clearance_id FOREIGN KEY(clearance_id) REFERENCES alert_clearances (id)
);

-- How grave a colour is, for comparing.
CREATE FUNCTION colour_rank(colour text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN array_position(ARRAY['blue', 'yellow', 'orange', 'red'], colour);

-- What the rules found becomes alerts, in one statement: {"rules": […], "packets": […], "alerts": […], "evidence": […]} as
-- rows of these tables. Every writer takes locks in the order of rules, packets and fingerprints, so that none waits in a circle.
--   new            no alert had this fingerprint
--   known          the current alert has all of these rows
--   evidence_added the current alert is open and had not all of them
--   child          the current alert is closed: a new one stands beside it, with the old as its earlier one
--   suppressed     a clearance in force covers it
CREATE FUNCTION fold_alert_rows(given jsonb) RETURNS TABLE (print text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  RETURN QUERY
  WITH told AS MATERIALIZED (
    SELECT r AS row, r.id, r.fingerprint, r.evidence_hash, r.raised_at, c.id AS clearance_id
      FROM jsonb_populate_recordset(NULL::alerts, given->'alerts') r
      LEFT JOIN LATERAL (
        SELECT k.id FROM alert_clearances k
         WHERE k.rule_code = r.rule_code AND k.decision = 'granted' AND k.scope <> 'evidence'
           AND k.until >= (mj_now() AT TIME ZONE 'Asia/Shanghai')::date
           AND (k.scope = 'person_rule' AND k.subject = ANY (r.persons)
                OR k.scope = 'contract' AND k.subject = ANY (r.contracts) AND coalesce(r.money_fen, 0) <= coalesce(k.amount_fen, 0))
           AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.fingerprint = r.fingerprint AND a.current AND a.closed_at IS NULL)
         ORDER BY k.until DESC LIMIT 1) c ON true
  ), ruled AS (
    INSERT INTO alert_rules SELECT * FROM jsonb_populate_recordset(NULL::alert_rules, given->'rules') x ORDER BY x.code, x.version
    ON CONFLICT DO NOTHING RETURNING 1
  ), packed AS (
    INSERT INTO alert_packets SELECT * FROM jsonb_populate_recordset(NULL::alert_packets, given->'packets') x ORDER BY x.id
    ON CONFLICT DO NOTHING RETURNING 1
  ), before AS MATERIALIZED (
    SELECT (SELECT count(*) FROM ruled) + (SELECT count(*) FROM packed) AS n
  ), written AS (
    INSERT INTO alerts AS a SELECT (t.row).* FROM told t CROSS JOIN before
     WHERE t.clearance_id IS NULL AND before.n >= 0 ORDER BY t.fingerprint
    ON CONFLICT (fingerprint) WHERE current DO UPDATE SET
      current = a.closed_at IS NULL,
      seen_rows = CASE WHEN a.closed_at IS NULL
                       THEN ARRAY(SELECT unnest(a.seen_rows) UNION SELECT unnest(excluded.seen_rows) ORDER BY 1) ELSE a.seen_rows END,
      fresh_rows = CASE WHEN a.closed_at IS NULL
                        THEN a.fresh_rows + (SELECT count(*) FROM unnest(excluded.seen_rows) n WHERE n <> ALL (a.seen_rows)) ELSE 0 END,
      evidence_hash = CASE WHEN a.closed_at IS NULL THEN excluded.evidence_hash ELSE a.evidence_hash END,
      money_fen = CASE WHEN a.closed_at IS NULL THEN greatest(a.money_fen, excluded.money_fen) ELSE a.money_fen END,
      found_colour = CASE WHEN a.closed_at IS NULL AND colour_rank(excluded.found_colour) > colour_rank(a.found_colour)
                          THEN excluded.found_colour ELSE a.found_colour END
    WHERE a.evidence_hash <> excluded.evidence_hash AND NOT a.seen_rows @> excluded.seen_rows
    RETURNING a.id, a.fingerprint, a.current
  ), children AS (
    INSERT INTO alerts AS a SELECT (x.row).* FROM (
      SELECT jsonb_populate_record(t.row, jsonb_build_object('earlier_id', w.id)) AS row
        FROM written w JOIN told t ON t.fingerprint = w.fingerprint WHERE NOT w.current) x
    ON CONFLICT (fingerprint) WHERE current DO NOTHING
    RETURNING a.id, a.fingerprint
  ), proven AS (
    INSERT INTO alert_evidence (alert_id, row_id, dataset, part, money_fen, content, added_at)
    SELECT coalesce(c.id, w.id), e.row_id, e.dataset, e.part, e.money_fen, e.content, e.added_at
      FROM jsonb_populate_recordset(NULL::alert_evidence, given->'evidence') e
      JOIN told t ON t.id = e.alert_id
      JOIN written w ON w.fingerprint = t.fingerprint
      LEFT JOIN children c ON c.fingerprint = t.fingerprint
     WHERE w.current OR c.id IS NOT NULL
    ON CONFLICT DO NOTHING
  ), counted AS (
    INSERT INTO alert_suppressions SELECT t.clearance_id, t.fingerprint, t.evidence_hash, t.raised_at
      FROM told t WHERE t.clearance_id IS NOT NULL ORDER BY t.clearance_id, t.fingerprint, t.evidence_hash
    ON CONFLICT DO NOTHING
  )
  SELECT t.fingerprint, CASE WHEN t.clearance_id IS NOT NULL THEN 'suppressed'
                             WHEN w.id IS NULL THEN 'known'
                             WHEN w.id = t.id THEN 'new'
                             WHEN w.current THEN 'evidence_added'
                             WHEN c.id IS NOT NULL THEN 'child'
                             ELSE 'known' END
    FROM told t LEFT JOIN written w ON w.fingerprint = t.fingerprint LEFT JOIN children c ON c.fingerprint = t.fingerprint;
END $$;

-- The engine's way in, and that of one source outside, which says who it is by its key: nobody else writes alerts.
CREATE FUNCTION fold_alerts(given jsonb) RETURNS TABLE (print text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF current_setting('mj.kind', true) IS DISTINCT FROM 'system' THEN
    RAISE EXCEPTION 'only the engine folds alerts' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN QUERY SELECT * FROM fold_alert_rows(given);
END $$;

CREATE FUNCTION push_alert(mac text, given jsonb) RETURNS TABLE (print text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  s alert_sources;
BEGIN
  SELECT * INTO s FROM alert_sources x
   WHERE x.key_mac = mac AND (x.valid_to IS NULL OR x.valid_to >= (mj_now() AT TIME ZONE 'Asia/Shanghai')::date);
  IF NOT FOUND THEN
    RETURN QUERY SELECT NULL::text, 'unknown-source';
  ELSIF (given#>>'{alerts,0,rule_code}') <> ALL (s.rules) OR NOT starts_with(given#>>'{alerts,0,place}', s.place)
     OR jsonb_array_length(given->'alerts') <> 1 THEN
    RETURN QUERY SELECT NULL::text, 'outside-source';
  ELSE
    RETURN QUERY SELECT * FROM fold_alert_rows(jsonb_set(given, '{alerts,0,source_id}', to_jsonb(s.id)));
  END IF;
END $$;
REVOKE ALL ON FUNCTION colour_rank(text), fold_alert_rows(jsonb), fold_alerts(jsonb), push_alert(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION colour_rank(text) TO mj_web, mj_worker;
GRANT EXECUTE ON FUNCTION fold_alerts(jsonb) TO mj_worker;
GRANT EXECUTE ON FUNCTION push_alert(text, jsonb) TO mj_web;

CREATE TABLE alert_events (
	id UUID NOT NULL,
	alert_id UUID NOT NULL,
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
	facts JSONB NOT NULL,
	salt BYTEA NOT NULL,
	commitment BYTEA NOT NULL,
	CONSTRAINT pk_alert_events PRIMARY KEY (id),
	CONSTRAINT fk_alert_events_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (id)
);
CREATE UNIQUE INDEX ix_alert_events_alert ON alert_events (alert_id, seq);

-- What the unit is asked and what it answers: all that it sees of the alert.
CREATE TABLE alert_questions (
	id UUID NOT NULL,
	alert_id UUID NOT NULL,
	org_id UUID NOT NULL,
	question TEXT NOT NULL,
	asked_by UUID NOT NULL,
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
	answer TEXT,
	answered_by UUID,
	answered_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_alert_questions PRIMARY KEY (id),
	CONSTRAINT fk_alert_questions_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (id),
	CONSTRAINT fk_alert_questions_org_id FOREIGN KEY(org_id) REFERENCES organisations (id),
	CONSTRAINT fk_alert_questions_asked_by FOREIGN KEY(asked_by) REFERENCES staff_accounts (id),
	CONSTRAINT fk_alert_questions_answered_by FOREIGN KEY(answered_by) REFERENCES staff_accounts (id)
);
CREATE INDEX ix_alert_questions_alert_id ON alert_questions (alert_id);
CREATE INDEX ix_alert_questions_org_id ON alert_questions (org_id, asked_at);

-- What the unit has to set right, by whom and when; and its proof.
CREATE TABLE alert_tasks (
	id UUID NOT NULL,
	alert_id UUID NOT NULL,
	org_id UUID NOT NULL,
	task TEXT NOT NULL,
	owner TEXT NOT NULL,
	due_on DATE NOT NULL,
	ordered_at TIMESTAMP WITH TIME ZONE NOT NULL,
	proof TEXT,
	proved_by UUID,
	proved_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_alert_tasks PRIMARY KEY (id),
	CONSTRAINT fk_alert_tasks_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (id),
	CONSTRAINT fk_alert_tasks_org_id FOREIGN KEY(org_id) REFERENCES organisations (id),
	CONSTRAINT fk_alert_tasks_proved_by FOREIGN KEY(proved_by) REFERENCES staff_accounts (id)
);
CREATE INDEX ix_alert_tasks_alert_id ON alert_tasks (alert_id);
CREATE INDEX ix_alert_tasks_org_id ON alert_tasks (org_id, ordered_at);

-- The last one counts; the earlier ones stay, both sides of a reversal.
CREATE TABLE alert_verdicts (
	id UUID NOT NULL,
	alert_id UUID NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	verdict TEXT NOT NULL,
	reason TEXT NOT NULL,
	dataset TEXT,
	field TEXT,
	account_id UUID NOT NULL,
	org_id UUID NOT NULL,
	blind BOOLEAN NOT NULL,
	CONSTRAINT pk_alert_verdicts PRIMARY KEY (id),
	CONSTRAINT ck_alert_verdicts_verdict CHECK (verdict IN ('A', 'B', 'C', 'D', 'E', 'F')),
	CONSTRAINT fk_alert_verdicts_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (id),
	CONSTRAINT fk_alert_verdicts_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id),
	CONSTRAINT fk_alert_verdicts_org_id FOREIGN KEY(org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_alert_verdicts_alert_id ON alert_verdicts (alert_id, at);

-- One row for each person that was dealt with, by one of the four forms (四种形态).
CREATE TABLE alert_disposals (
	id UUID NOT NULL,
	alert_id UUID NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	person TEXT NOT NULL,
	form TEXT NOT NULL,
	account_id UUID NOT NULL,
	CONSTRAINT pk_alert_disposals PRIMARY KEY (id),
	CONSTRAINT ck_alert_disposals_form CHECK (form IN ('FORM_1', 'FORM_2', 'FORM_3', 'FORM_4')),
	CONSTRAINT fk_alert_disposals_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (id),
	CONSTRAINT fk_alert_disposals_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id)
);
CREATE INDEX ix_alert_disposals_alert_id ON alert_disposals (alert_id);

CREATE TABLE alert_money (
	id UUID NOT NULL,
	alert_id UUID NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	kind TEXT NOT NULL,
	fen BIGINT NOT NULL,
	account_id UUID NOT NULL,
	CONSTRAINT pk_alert_money PRIMARY KEY (id),
	CONSTRAINT ck_alert_money_kind CHECK (kind IN ('amount', 'recovered', 'returned')),
	CONSTRAINT ck_alert_money_fen CHECK (fen > 0),
	CONSTRAINT fk_alert_money_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (id),
	CONSTRAINT fk_alert_money_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id)
);
CREATE INDEX ix_alert_money_alert_id ON alert_money (alert_id);

-- An alert and a petition that share a person, a contract or the place (XY-03). Whoever may see both sees that they are one matter,
-- and that it is urgent for it; nobody else.
CREATE TABLE alert_links (
	alert_id UUID NOT NULL,
	petition_id UUID NOT NULL,
	kind TEXT NOT NULL,
	found_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_alert_links PRIMARY KEY (alert_id, petition_id, kind),
	CONSTRAINT ck_alert_links_kind CHECK (kind IN ('person', 'contract', 'place')),
	CONSTRAINT fk_alert_links_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (id),
	CONSTRAINT fk_alert_links_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
CREATE INDEX ix_alert_links_petition_id ON alert_links (petition_id);
