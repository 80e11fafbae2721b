DROP VIEW source_freshness;
DROP SCHEMA staging CASCADE;
DROP SCHEMA records CASCADE;
DROP POLICY seen ON dataset_versions;
DROP POLICY seen ON datasets;
DROP FUNCTION define_dataset(text, jsonb), source_of_key(text, text);
DROP TABLE import_rejects, import_batches, column_mappings, record_sources, dataset_versions, datasets;
DROP FUNCTION mj_scope_served(), scope_of_place(text);
DROP SEQUENCE record_row_ids;
