-- Rules: documents that say what is looked for. A version never changes; what is wanted otherwise is a new version, and two people stand
-- behind each one that runs.

CREATE TABLE rules (
    code text COLLATE "C" CONSTRAINT pk_rules PRIMARY KEY,
    module text NOT NULL,
    scope text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid
);
CREATE TABLE rule_versions (
    id uuid CONSTRAINT pk_rule_versions PRIMARY KEY,
    code text COLLATE "C" NOT NULL CONSTRAINT fk_rule_versions_code REFERENCES rules,
    scope text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    document jsonb NOT NULL,
    state text NOT NULL,
    author_id uuid,
    approver_id uuid,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    live_at timestamptz,
    retired_at timestamptz,
    CONSTRAINT uq_rule_versions_code UNIQUE (code, version),
    CONSTRAINT ck_rule_versions_state CHECK (state IN ('draft', 'checked', 'tried', 'previewed', 'back_tested', 'shadow', 'live', 'retired')),
    CONSTRAINT ck_rule_versions_two_people CHECK (approver_id <> author_id)
);
-- One version of a rule is in force, whoever approves at the same time.
CREATE UNIQUE INDEX ix_rule_versions_live ON rule_versions (code) WHERE state = 'live';
CREATE TABLE rule_events (
    id uuid CONSTRAINT pk_rule_events PRIMARY KEY,
    version_id uuid NOT NULL CONSTRAINT fk_rule_events_version_id REFERENCES rule_versions,
    at timestamptz NOT NULL,
    event text NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    actor_id uuid,
    actor_role text NOT NULL,
    org_id uuid,
    facts jsonb NOT NULL
);
CREATE INDEX ix_rule_events_version_id ON rule_events (version_id, at);
-- What an engine did with a version. `mode`: full (every record), touched (villages whose records changed), shadow (nobody hears of it).
CREATE TABLE rule_runs (
    id uuid CONSTRAINT pk_rule_runs PRIMARY KEY,
    version_id uuid NOT NULL CONSTRAINT fk_rule_runs_version_id REFERENCES rule_versions,
    mode text NOT NULL,
    engine text NOT NULL,
    as_of date NOT NULL,
    known_on date,
    watermarks jsonb NOT NULL,
    degraded text[] NOT NULL,
    alerts integer NOT NULL,
    evidence integer NOT NULL,
    unjudged jsonb NOT NULL,
    outcomes jsonb NOT NULL,
    error text,
    started_at timestamptz NOT NULL,
    milliseconds integer NOT NULL,
    CONSTRAINT ck_rule_runs_mode CHECK (mode IN ('full', 'touched', 'shadow'))
);
CREATE INDEX ix_rule_runs_version_id ON rule_runs (version_id, started_at);
CREATE INDEX ix_rule_runs_as_of ON rule_runs (as_of) WHERE mode <> 'touched';
-- Villages whose records of a dataset changed, written with the records. Rows are only added and taken away: one that says the same as
-- another waits for nobody, and none is swallowed by one that is just being worked on.
CREATE TABLE touched_groups (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_touched_groups PRIMARY KEY,
    dataset text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL
);

-- Whose rules somebody may propose: those of the own county, or of the city or province whose body it is.
CREATE FUNCTION mj_rule_scope() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
  RETURN (SELECT left(public.mj_scope_served(), 6)
           WHERE current_setting('mj.role', true) IN ('township_discipline', 'department_handler', 'dispatched_group', 'county_discipline',
                                                      'upper_discipline'));
REVOKE ALL ON FUNCTION mj_rule_scope() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mj_rule_scope() TO mj_web;

GRANT SELECT, INSERT ON rules, rule_versions, rule_events TO mj_web;
GRANT UPDATE (state, approver_id, changed_at, live_at, retired_at) ON rule_versions TO mj_web;
GRANT SELECT ON rule_runs TO mj_web;
GRANT INSERT ON touched_groups TO mj_web;
GRANT SELECT ON rules, rule_versions TO mj_worker;
GRANT SELECT, INSERT ON rule_runs TO mj_worker;
GRANT SELECT, INSERT, DELETE ON touched_groups TO mj_worker;
-- Locking a row on the way asks for it.
GRANT UPDATE (at) ON touched_groups TO mj_worker;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['rules', 'rule_versions', 'rule_events', 'rule_runs', 'touched_groups'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY swept ON %I TO mj_worker USING (current_setting(''mj.kind'', true) = ''system'') '
                   'WITH CHECK (current_setting(''mj.kind'', true) = ''system'')', t);
  END LOOP;
END $$;

-- Rules of the own area and of what lies above it; a county's own not by another county.
CREATE POLICY seen ON rules FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff' AND current_setting('mj.lo', true) <> ''
  AND current_setting('mj.role', true) IN ('township_discipline', 'department_handler', 'dispatched_group', 'county_discipline', 'upper_discipline')
  AND (starts_with(current_setting('mj.lo', true), scope) OR starts_with(scope, current_setting('mj.lo', true))));
CREATE POLICY made ON rules FOR INSERT TO mj_web WITH CHECK (
  scope = mj_rule_scope() AND created_by = nullif(current_setting('mj.person', true), '')::uuid);
CREATE POLICY seen ON rule_versions FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM rules r WHERE r.code = rule_versions.code));
-- What is shipped (an empty scope) is the province's to change.
CREATE POLICY proposed ON rule_versions FOR INSERT TO mj_web WITH CHECK (
  state = 'draft' AND approver_id IS NULL AND author_id = nullif(current_setting('mj.person', true), '')::uuid
  AND EXISTS (SELECT 1 FROM rules r WHERE r.code = rule_versions.code AND r.scope = rule_versions.scope)
  AND (scope = mj_rule_scope() OR (scope = '' AND length(mj_rule_scope()) = 2)));
CREATE POLICY moved ON rule_versions FOR UPDATE TO mj_web
  USING (scope = mj_rule_scope() OR (scope = '' AND length(mj_rule_scope()) = 2))
  WITH CHECK (
    (approver_id IS NULL OR state IN ('live', 'retired'))
    AND (state <> 'live' OR (approver_id = nullif(current_setting('mj.person', true), '')::uuid
                             AND current_setting('mj.role', true) IN ('county_discipline', 'upper_discipline'))));
CREATE POLICY seen ON rule_events FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM rule_versions v WHERE v.id = version_id));
CREATE POLICY written ON rule_events FOR INSERT TO mj_web WITH CHECK (
  EXISTS (SELECT 1 FROM rule_versions v WHERE v.id = version_id) AND mj_serves(actor_id, actor_role, org_id));
CREATE POLICY seen ON rule_runs FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM rule_versions v WHERE v.id = version_id));
-- A source says which villages it touched, of its own dataset and in its own places.
CREATE POLICY touched ON touched_groups FOR INSERT TO mj_web WITH CHECK (
  current_setting('mj.kind', true) = 'source'
  AND starts_with(place, (SELECT s.scope FROM source_of_key(current_setting('mj.key_hash', true), dataset) s)));
