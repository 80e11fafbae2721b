-- The worker deletes what has served its time. Which rows those are is for app/housekeeping.py to say; that a message which
-- nobody has got yet is none of them is said here, where no mistake of ours can reach it.
GRANT DELETE ON outbox, inbox, job_runs TO mj_worker;
CREATE POLICY only_sent ON outbox AS RESTRICTIVE FOR DELETE TO mj_worker USING (status = 'sent');

ALTER TABLE job_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY swept ON job_runs TO mj_worker USING (current_setting('mj.kind', true) = 'system') WITH CHECK (current_setting('mj.kind', true) = 'system');
CREATE POLICY seen ON job_runs FOR SELECT TO mj_web USING (current_setting('mj.kind', true) = 'staff');

CREATE INDEX ix_outbox_sent ON outbox (sent_at) WHERE status = 'sent';
CREATE INDEX ix_inbox_read ON inbox (read_at) WHERE read_at IS NOT NULL;
CREATE INDEX ix_inbox_unread ON inbox (at) WHERE read_at IS NULL;
CREATE INDEX ix_job_runs_finished_at ON job_runs (finished_at);
