DROP FUNCTION apply_data_request(uuid), erase_content(uuid);
ALTER TABLE petitions DROP COLUMN erased_at;
DROP TABLE data_requests, retention_rules, case_reads, identity_grants, identity_openings, opening_roles CASCADE;
DROP FUNCTION mj_serves(uuid, text, uuid) CASCADE;
DROP FUNCTION mj_now() CASCADE;
DROP TRIGGER way_is_kept ON petitions;
DROP FUNCTION keep_the_way();
ALTER TABLE petitions ADD COLUMN anonymous boolean;
UPDATE petitions SET anonymous = way = 'anonymous';
ALTER TABLE petitions ALTER COLUMN anonymous SET NOT NULL, DROP COLUMN way;
ALTER TABLE villagers ADD COLUMN phone text;
DROP POLICY own ON villagers;
DROP POLICY made ON villagers;
ALTER TABLE villagers DISABLE ROW LEVEL SECURITY;
GRANT SELECT ON villagers TO mj_worker;
CREATE TABLE petitioners (
	id UUID NOT NULL,
	petition_id UUID NOT NULL,
	part TEXT NOT NULL,
	name TEXT,
	phone TEXT,
	address TEXT,
	CONSTRAINT pk_petitioners PRIMARY KEY (id),
	CONSTRAINT fk_petitioners_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
CREATE INDEX ix_petitioners_petition_id ON petitioners (petition_id);
GRANT SELECT, INSERT ON petitioners TO mj_web;
GRANT SELECT ON petitioners TO mj_worker;
ALTER TABLE petitioners ENABLE ROW LEVEL SECURITY;
CREATE POLICY swept ON petitioners TO mj_worker
  USING (current_setting('mj.kind', true) = 'system') WITH CHECK (current_setting('mj.kind', true) = 'system');
CREATE POLICY written ON petitioners FOR INSERT TO mj_web WITH CHECK (current_setting('mj.kind', true) IN ('staff', 'petitioner'));
CREATE POLICY seen ON petitioners FOR SELECT TO mj_web USING (
  EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id)
  AND (current_setting('mj.kind', true) = 'petitioner'
       OR current_setting('mj.role', true) IN ('township_office', 'township_discipline', 'department_handler', 'dispatched_group',
                                               'petition_office', 'county_discipline', 'upper_discipline')));
