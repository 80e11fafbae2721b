-- How many files wait for the virus scanner: a number for /metrics, and nothing else about them.
CREATE FUNCTION files_in_quarantine() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT count(*) FROM attachments WHERE status = 'quarantined'
$$;
REVOKE ALL ON FUNCTION files_in_quarantine() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION files_in_quarantine() TO mj_web;
