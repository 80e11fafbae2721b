DROP INDEX ix_outbox_sent, ix_inbox_read, ix_inbox_unread, ix_job_runs_finished_at;
DROP POLICY seen ON job_runs;
DROP POLICY swept ON job_runs;
ALTER TABLE job_runs DISABLE ROW LEVEL SECURITY;
DROP POLICY only_sent ON outbox;
REVOKE DELETE ON outbox, inbox, job_runs FROM mj_worker;
