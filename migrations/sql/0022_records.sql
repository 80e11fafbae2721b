-- Records: datasets defined at run time, each with a table of its own in the schema `records`, and how their rows come in.

-- The tables of the datasets, made by define_dataset() and by nothing else.
CREATE SCHEMA records;
-- Rows of a file on their way: one table for each batch, the worker's own, gone when the batch is published.
CREATE SCHEMA staging;
GRANT USAGE ON SCHEMA records TO mj_web, mj_worker;
GRANT USAGE, CREATE ON SCHEMA staging TO mj_worker;

CREATE SEQUENCE record_row_ids;
GRANT USAGE ON SEQUENCE record_row_ids TO mj_web, mj_worker;

CREATE TABLE datasets (
    code text COLLATE "C" CONSTRAINT pk_datasets PRIMARY KEY,
    module text NOT NULL,
    version integer NOT NULL,
    definition jsonb NOT NULL,
    owner text NOT NULL,
    freshness_days integer NOT NULL,
    scope text COLLATE "C" NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by uuid
);
CREATE TABLE dataset_versions (
    code text COLLATE "C" NOT NULL CONSTRAINT fk_dataset_versions_code REFERENCES datasets,
    version integer NOT NULL,
    definition jsonb NOT NULL,
    at timestamptz NOT NULL,
    by uuid,
    CONSTRAINT pk_dataset_versions PRIMARY KEY (code, version)
);
CREATE TABLE record_sources (
    id uuid CONSTRAINT pk_record_sources PRIMARY KEY,
    dataset text COLLATE "C" NOT NULL CONSTRAINT fk_record_sources_dataset REFERENCES datasets,
    code text COLLATE "C" NOT NULL,
    name text NOT NULL,
    scope text COLLATE "C" NOT NULL,
    key_hash text,
    watermark date,
    last_arrival_at timestamptz,
    created_at timestamptz NOT NULL,
    created_by uuid,
    closed_at timestamptz,
    CONSTRAINT uq_record_sources_dataset UNIQUE (dataset, code)
);
CREATE UNIQUE INDEX ix_record_sources_key_hash ON record_sources (key_hash);
CREATE TABLE column_mappings (
    source_id uuid NOT NULL CONSTRAINT fk_column_mappings_source_id REFERENCES record_sources,
    header text NOT NULL,
    target text,
    learnt_at timestamptz NOT NULL,
    learnt_by uuid,
    CONSTRAINT pk_column_mappings PRIMARY KEY (source_id, header)
);
CREATE TABLE import_batches (
    id uuid CONSTRAINT pk_import_batches PRIMARY KEY,
    source_id uuid NOT NULL CONSTRAINT fk_import_batches_source_id REFERENCES record_sources,
    dataset text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,
    status text NOT NULL,
    failed_because text,
    file_name text NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    noticed jsonb NOT NULL,
    headers jsonb NOT NULL,
    titles jsonb NOT NULL,
    mapping jsonb NOT NULL,
    replaces uuid CONSTRAINT fk_import_batches_replaces REFERENCES import_batches,
    progress integer NOT NULL,
    counts jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT ck_import_batches_status CHECK (status IN ('uploaded', 'queued', 'loading', 'published', 'replaced', 'failed'))
);
CREATE INDEX ix_import_batches_waiting ON import_batches (created_at) WHERE status IN ('queued', 'loading');
CREATE INDEX ix_import_batches_source_id ON import_batches (source_id);
CREATE INDEX ix_import_batches_created_at ON import_batches (created_at);
CREATE TABLE import_rejects (
    batch_id uuid NOT NULL CONSTRAINT fk_import_rejects_batch_id REFERENCES import_batches,
    line integer NOT NULL,
    reason text NOT NULL,
    field text,
    CONSTRAINT pk_import_rejects PRIMARY KEY (batch_id, line)
);

-- The digits of a place that say something: 330213000000 → 330213.
CREATE FUNCTION scope_of_place(place text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN right(place, 10) = '0000000000' THEN left(place, 2)
              WHEN right(place, 8) = '00000000' THEN left(place, 4)
              WHEN right(place, 6) = '000000' THEN left(place, 6)
              WHEN right(place, 3) = '000' THEN left(place, 9)
              ELSE place END;

-- Which places a body answers for: the digits of its division. NULL when the settings name no appointment in force.
CREATE FUNCTION mj_scope_served() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
  RETURN (SELECT public.scope_of_place(o.division_code) FROM public.organisations o
           WHERE o.id = nullif(current_setting('mj.org', true), '')::uuid AND o.level > 0
             AND public.mj_serves(nullif(current_setting('mj.person', true), '')::uuid, current_setting('mj.role', true), o.id));
REVOKE ALL ON FUNCTION mj_scope_served() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mj_scope_served() TO mj_web;

-- A push comes with the key of a source, before there is an actor.
CREATE FUNCTION source_of_key(given_hash text, of_dataset text) RETURNS TABLE (id uuid, code text, scope text)
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
  SELECT s.id, s.code, s.scope FROM public.record_sources s
   WHERE s.key_hash = given_hash AND s.dataset = of_dataset AND s.closed_at IS NULL;
END;
REVOKE ALL ON FUNCTION source_of_key(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION source_of_key(text, text) TO mj_web;

-- The one door for dataset types, those that are shipped and those that a county makes. It checks every name itself, makes the
-- table, and on a later version adds columns and nothing else. Returns the version now in force; the same definition again changes
-- nothing.
--
-- May: discipline commissions of counties and above for themselves (rules and thresholds are theirs), and the owner, who loads the
-- shipped ones.
CREATE FUNCTION define_dataset(in_module text, definition jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
  a_name CONSTANT text := '^[a-z][a-z0-9_]{0,39}$';
  system_columns CONSTANT text[] := ARRAY['row_id', 'source', 'source_key', 'version', 'place', 'event_on', 'arrived_at',
                                          'superseded_at', 'withdrawn', 'batch_id', 'unreadable'];
  column_types CONSTANT jsonb := '{"text": "text", "code": "text", "int": "bigint", "money": "bigint", "num": "double precision",
    "date": "date", "ts": "timestamptz", "bool": "boolean", "person": "text", "company": "text", "account": "text", "place": "text",
    "ref": "text"}';
  new_code text := definition->>'code';
  fields jsonb := definition->'fields';
  serves text;
  old public.datasets;
  names text[];
  columns text[] := '{}';
  f jsonb;
BEGIN
  -- Inside, the current user is the owner; whoever is signed in as somebody else has to show an appointment.
  IF session_user <> current_user THEN
    serves := public.mj_scope_served();
    IF serves IS NULL OR current_setting('mj.role', true) NOT IN ('county_discipline', 'upper_discipline') THEN
      RAISE EXCEPTION 'this actor defines no datasets' USING ERRCODE = 'insufficient_privilege';
    END IF;
  ELSE
    serves := '';
  END IF;

  IF jsonb_typeof(definition) IS DISTINCT FROM 'object' OR new_code IS NULL OR new_code !~ a_name
     OR jsonb_typeof(definition->'code') <> 'string' OR in_module IS NULL OR in_module !~ a_name
     OR coalesce(definition->>'owner', '') = '' OR coalesce(definition->>'freshness_days', '') !~ '^[1-9][0-9]{0,3}$'
     OR jsonb_typeof(fields) IS DISTINCT FROM 'array' OR jsonb_array_length(fields) NOT BETWEEN 1 AND 120
     OR jsonb_typeof(definition->'key') IS DISTINCT FROM 'array' OR jsonb_array_length(definition->'key') = 0 THEN
    RAISE EXCEPTION 'not a definition of a dataset' USING ERRCODE = 'check_violation';
  END IF;
  FOR f IN SELECT value FROM jsonb_array_elements(fields) LOOP
    IF jsonb_typeof(f) <> 'object' OR jsonb_typeof(f->'code') IS DISTINCT FROM 'string' OR f->>'code' !~ a_name
       OR jsonb_typeof(f->'type') IS DISTINCT FROM 'string' OR NOT column_types ? (f->>'type')
       OR (f->>'code') = ANY (system_columns) OR (f->>'type' = 'ref' AND coalesce(f->>'ref', '') !~ a_name) THEN
      RAISE EXCEPTION 'not a field of a dataset' USING ERRCODE = 'check_violation';
    END IF;
    columns := columns || (f->>'code');
    IF f->>'type' IN ('person', 'company') THEN
      columns := columns || ((f->>'code') || '_name');
    END IF;
  END LOOP;
  names := ARRAY(SELECT value->>'code' FROM jsonb_array_elements(fields));
  IF cardinality(columns) <> (SELECT count(DISTINCT c) FROM unnest(columns) AS c)
     OR EXISTS (SELECT 1 FROM jsonb_array_elements(definition->'key') AS k WHERE jsonb_typeof(k) <> 'string' OR NOT names @> ARRAY[k #>> '{}'])
     OR (definition->>'event_date' IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(fields) AS e(field)
                          WHERE field->>'code' = definition->>'event_date' AND field->>'type' IN ('date', 'ts'))) THEN
    RAISE EXCEPTION 'a dataset names fields that it has not, or one twice' USING ERRCODE = 'check_violation';
  END IF;

  PERFORM pg_advisory_xact_lock(hashtextextended('define_dataset ' || new_code, 0));
  SELECT * INTO old FROM public.datasets d WHERE d.code = new_code;
  IF FOUND THEN
    IF old.scope <> serves OR old.module <> in_module THEN
      RAISE EXCEPTION 'this dataset belongs to somebody else' USING ERRCODE = 'unique_violation';
    END IF;
    IF old.definition = definition THEN
      RETURN old.version;
    END IF;
    -- What is stored stays readable: fields keep their type, and keys keep identifying.
    IF old.definition->'key' <> definition->'key'
       OR EXISTS (SELECT 1 FROM jsonb_array_elements(old.definition->'fields') AS o(field)
                   WHERE NOT EXISTS (SELECT 1 FROM jsonb_array_elements(fields) AS n(field)
                                      WHERE n.field->>'code' = o.field->>'code' AND n.field->>'type' = o.field->>'type')) THEN
      RAISE EXCEPTION 'a later version only adds fields' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE public.datasets d
       SET version = old.version + 1, definition = define_dataset.definition, owner = define_dataset.definition->>'owner',
           freshness_days = (define_dataset.definition->>'freshness_days')::integer, changed_at = public.mj_now(),
           changed_by = nullif(current_setting('mj.person', true), '')::uuid
     WHERE d.code = new_code;
  ELSE
    INSERT INTO public.datasets (code, module, version, definition, owner, freshness_days, scope, changed_at, changed_by)
    VALUES (new_code, in_module, 1, definition, definition->>'owner', (definition->>'freshness_days')::integer, serves,
            public.mj_now(), nullif(current_setting('mj.person', true), '')::uuid);
    EXECUTE format(
      'CREATE TABLE records.%1$I (row_id bigint PRIMARY KEY DEFAULT nextval(''public.record_row_ids''), source text COLLATE "C" NOT NULL, '
      'source_key text COLLATE "C" NOT NULL, version integer NOT NULL, place text COLLATE "C" NOT NULL, event_on date, '
      'arrived_at timestamptz NOT NULL, superseded_at timestamptz, withdrawn boolean NOT NULL DEFAULT false, batch_id uuid, '
      'unreadable text NOT NULL DEFAULT '''')', new_code);
    EXECUTE format('CREATE UNIQUE INDEX ON records.%I (source, source_key) WHERE superseded_at IS NULL', new_code);
    EXECUTE format('CREATE INDEX ON records.%I (source, superseded_at) WHERE superseded_at IS NOT NULL', new_code);
    EXECUTE format('CREATE INDEX ON records.%I (place)', new_code);
    EXECUTE format('CREATE INDEX ON records.%I (event_on)', new_code);
    EXECUTE format('ALTER TABLE records.%I ENABLE ROW LEVEL SECURITY', new_code);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (superseded_at) ON records.%I TO mj_web, mj_worker', new_code);
    EXECUTE format(
      'CREATE POLICY swept ON records.%I TO mj_worker USING (current_setting(''mj.kind'', true) = ''system'') '
      'WITH CHECK (current_setting(''mj.kind'', true) = ''system'')', new_code);
    -- Reference data of a county or the province (prices, thresholds) hold for every place below it.
    EXECUTE format(
      'CREATE POLICY seen ON records.%I FOR SELECT TO mj_web USING (current_setting(''mj.kind'', true) = ''staff'' '
      'AND current_setting(''mj.role'', true) IN (''township_discipline'', ''dispatched_group'', ''county_discipline'', ''upper_discipline'') '
      'AND (place >= current_setting(''mj.lo'', true) AND place < current_setting(''mj.hi'', true)%s))',
      new_code,
      CASE WHEN in_module = 'reference'
           THEN ' OR (right(place, 6) = ''000000'' AND starts_with(current_setting(''mj.lo'', true), public.scope_of_place(place)))' ELSE '' END);
    -- A source writes its own rows of its own dataset in its own places, and has to show its key: settings alone are not enough.
    EXECUTE format(
      'CREATE POLICY pushed ON records.%I TO mj_web USING (current_setting(''mj.kind'', true) = ''source'' '
      'AND source = (SELECT s.code FROM public.source_of_key(current_setting(''mj.key_hash'', true), %L) s) '
      'AND starts_with(place, (SELECT s.scope FROM public.source_of_key(current_setting(''mj.key_hash'', true), %L) s)))',
      new_code, new_code, new_code);
  END IF;

  FOR f IN SELECT value FROM jsonb_array_elements(fields) LOOP
    IF old.definition IS NULL OR NOT EXISTS (SELECT 1 FROM jsonb_array_elements(old.definition->'fields') AS o(field) WHERE o.field->>'code' = f->>'code') THEN
      EXECUTE format('ALTER TABLE records.%I ADD COLUMN %I %s', new_code, f->>'code', column_types->>(f->>'type'));
      IF f->>'type' IN ('person', 'company') THEN
        EXECUTE format('ALTER TABLE records.%I ADD COLUMN %I text', new_code, (f->>'code') || '_name');
      END IF;
      IF f->>'type' IN ('person', 'company', 'account', 'ref') THEN
        EXECUTE format('CREATE INDEX ON records.%I (%I)', new_code, f->>'code');
      END IF;
    END IF;
  END LOOP;
  INSERT INTO public.dataset_versions (code, version, definition, at, by)
  SELECT d.code, d.version, d.definition, d.changed_at, d.changed_by FROM public.datasets d WHERE d.code = new_code;
  RETURN coalesce(old.version, 0) + 1;
END $$;
REVOKE ALL ON FUNCTION define_dataset(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION define_dataset(text, jsonb) TO mj_web;

GRANT SELECT ON datasets, dataset_versions TO mj_web, mj_worker;
GRANT SELECT (id, dataset, code, name, scope, watermark, last_arrival_at, created_at, created_by, closed_at) ON record_sources TO mj_web;
GRANT INSERT ON record_sources TO mj_web;
GRANT UPDATE (watermark, last_arrival_at) ON record_sources TO mj_web, mj_worker;
GRANT SELECT ON record_sources, column_mappings TO mj_worker;
GRANT SELECT, INSERT ON column_mappings TO mj_web;
GRANT UPDATE (target, learnt_at, learnt_by) ON column_mappings TO mj_web;
GRANT SELECT, INSERT ON import_batches TO mj_web;
GRANT UPDATE (status, mapping) ON import_batches TO mj_web;
GRANT SELECT, UPDATE ON import_batches TO mj_worker;
GRANT SELECT ON import_rejects TO mj_web;
GRANT SELECT, INSERT, DELETE ON import_rejects TO mj_worker;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['datasets', 'dataset_versions', 'record_sources', 'column_mappings', 'import_batches', 'import_rejects'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY swept ON %I TO mj_worker USING (current_setting(''mj.kind'', true) = ''system'') '
                   'WITH CHECK (current_setting(''mj.kind'', true) = ''system'')', t);
  END LOOP;
END $$;

-- What a dataset is like may be read by all staff of its area and by its own sources; a county's own not by another county.
CREATE POLICY seen ON datasets FOR SELECT TO mj_web USING (
  (current_setting('mj.kind', true) = 'staff'
   AND (starts_with(current_setting('mj.lo', true), scope) OR starts_with(scope, current_setting('mj.lo', true))))
  OR (current_setting('mj.kind', true) = 'source'
      AND EXISTS (SELECT 1 FROM source_of_key(current_setting('mj.key_hash', true), code))));
CREATE POLICY seen ON dataset_versions FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM datasets d WHERE d.code = dataset_versions.code));
CREATE POLICY seen ON record_sources FOR SELECT TO mj_web USING (
  (current_setting('mj.kind', true) = 'staff' AND current_setting('mj.lo', true) <> ''
   AND (starts_with(scope, current_setting('mj.lo', true)) OR starts_with(current_setting('mj.lo', true), scope)))
  OR (current_setting('mj.kind', true) = 'source' AND key_hash = current_setting('mj.key_hash', true)));
CREATE POLICY opened ON record_sources FOR INSERT TO mj_web WITH CHECK (
  current_setting('mj.role', true) IN ('county_discipline', 'upper_discipline') AND starts_with(scope, mj_scope_served())
  AND EXISTS (SELECT 1 FROM datasets d WHERE d.code = dataset));
CREATE POLICY arrived ON record_sources FOR UPDATE TO mj_web USING (
  current_setting('mj.kind', true) = 'source' AND key_hash = current_setting('mj.key_hash', true));
CREATE POLICY learnt ON column_mappings TO mj_web USING (
  current_setting('mj.role', true) IN ('county_discipline', 'upper_discipline', 'department_handler')
  AND EXISTS (SELECT 1 FROM record_sources s WHERE s.id = source_id));
-- Files are brought by the departments that keep the data and by discipline commissions, each for places of its own.
CREATE POLICY seen ON import_batches TO mj_web USING (
  current_setting('mj.kind', true) = 'staff' AND current_setting('mj.lo', true) <> ''
  AND current_setting('mj.role', true) IN ('county_discipline', 'upper_discipline', 'department_handler')
  AND starts_with(scope, current_setting('mj.lo', true)));
CREATE POLICY seen ON import_rejects FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM import_batches b WHERE b.id = batch_id));

-- A source that is late, or has never sent anything, makes the rules that depend on it degraded. Read under the reader's policies.
CREATE VIEW source_freshness WITH (security_invoker = true) AS
SELECT s.id AS source_id, s.dataset, s.code AS source, s.scope, s.last_arrival_at, s.watermark,
       s.last_arrival_at + d.freshness_days * interval '1 day' AS due_at,
       s.last_arrival_at IS NULL OR mj_now() > s.last_arrival_at + d.freshness_days * interval '1 day' AS degraded
  FROM record_sources s JOIN datasets d ON d.code = s.dataset
 WHERE s.closed_at IS NULL;
GRANT SELECT ON source_freshness TO mj_web, mj_worker;
