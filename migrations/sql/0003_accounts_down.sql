DROP POLICY dead ON outbox;
CREATE POLICY dead ON outbox FOR SELECT TO mj_web USING (
  current_setting('mj.kind', true) = 'staff' AND status IN ('dead', 'pending') AND template <> 'one_time_code'
  AND (current_setting('mj.role', true) = 'system_admin'
       OR (current_setting('mj.role', true) IN ('petition_office', 'township_office', 'county_discipline', 'upper_discipline')
           AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id))));

ALTER TABLE staff_accounts DROP COLUMN password_set_at;
ALTER TABLE staff_accounts ADD COLUMN totp_reset_asked_by UUID;
ALTER TABLE staff_accounts ADD CONSTRAINT fk_staff_accounts_totp_reset_asked_by
  FOREIGN KEY(totp_reset_asked_by) REFERENCES staff_accounts (id);
DROP TABLE account_resets;
