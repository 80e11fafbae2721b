-- Two people reset what is lost. The database holds the rule as well, and nobody but the owner can remove the record.
CREATE TABLE account_resets (
	id UUID NOT NULL, 
	account_id UUID NOT NULL, 
	what TEXT NOT NULL, 
	asked_by UUID NOT NULL, 
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	granted_by UUID, 
	granted_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_account_resets PRIMARY KEY (id), 
	CONSTRAINT ck_account_resets_what CHECK (what IN ('password', 'second_factor')), 
	CONSTRAINT ck_account_resets_two_people CHECK (asked_by <> account_id AND granted_by <> account_id AND granted_by <> asked_by), 
	CONSTRAINT fk_account_resets_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id), 
	CONSTRAINT fk_account_resets_asked_by FOREIGN KEY(asked_by) REFERENCES staff_accounts (id), 
	CONSTRAINT fk_account_resets_granted_by FOREIGN KEY(granted_by) REFERENCES staff_accounts (id)
);
CREATE INDEX ix_account_resets_account_id ON account_resets (account_id);

GRANT SELECT, INSERT ON account_resets TO mj_web;
GRANT UPDATE (granted_by, granted_at) ON account_resets TO mj_web;
ALTER TABLE account_resets ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON account_resets FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff' AND current_setting('mj.role', true) IN ('system_admin', 'security_admin'));
CREATE POLICY asked ON account_resets FOR INSERT TO mj_web WITH CHECK (
  current_setting('mj.kind', true) = 'staff' AND current_setting('mj.role', true) = 'system_admin'
  AND asked_by = nullif(current_setting('mj.person', true), '')::uuid AND granted_by IS NULL AND granted_at IS NULL);
CREATE POLICY granted ON account_resets FOR UPDATE TO mj_web
  USING (current_setting('mj.kind', true) = 'staff' AND granted_at IS NULL
         AND current_setting('mj.role', true) IN ('system_admin', 'security_admin'))
  WITH CHECK (granted_by = nullif(current_setting('mj.person', true), '')::uuid AND granted_at IS NOT NULL);

ALTER TABLE staff_accounts DROP COLUMN totp_reset_asked_by;
ALTER TABLE staff_accounts ADD COLUMN password_set_at TIMESTAMP WITH TIME ZONE;

-- A password on its way to a mailbox is nobody's to read, as a code on its way to a phone.
DROP POLICY dead ON outbox;
CREATE POLICY dead ON outbox FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff' AND status IN ('dead', 'pending')
  AND template NOT IN ('one_time_code', 'one_time_password')
  AND (current_setting('mj.role', true) = 'system_admin'
       OR (current_setting('mj.role', true) IN ('petition_office', 'township_office', 'county_discipline', 'upper_discipline')
           AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))));
