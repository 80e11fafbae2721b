-- Who may do what with alerts. Nobody but the two functions of 0023_alerts.sql makes one; nobody deletes or rewrites what happened.
GRANT SELECT ON alerts, alert_rules, alert_packets, alert_evidence, alert_events, alert_questions, alert_tasks, alert_clearances,
                alert_suppressions, alert_verdicts, alert_disposals, alert_money, alert_links TO mj_web, mj_worker;
GRANT INSERT ON alert_events TO mj_web, mj_worker;
GRANT INSERT ON alert_questions, alert_tasks, alert_clearances, alert_verdicts, alert_disposals, alert_money TO mj_web;
GRANT UPDATE (answer, answered_by, answered_at) ON alert_questions TO mj_web;
GRANT UPDATE (proof, proved_by, proved_at) ON alert_tasks TO mj_web;
GRANT UPDATE (decision, decided_by, decided_org_id, decided_at, papers, papers_due_on) ON alert_clearances TO mj_web;
GRANT UPDATE (decision, decided_at) ON alert_clearances TO mj_worker;
GRANT INSERT ON alert_links TO mj_worker;
-- What an alert says stays what the rule said: only what the chart moves is changed.
GRANT UPDATE (state, version, colour, level, org_id, copy_org_ids, unit_org_id, parent_id, flood, checker_ids, assignments,
  explanations, unexplained, "freeze", freeze_by, freezes, extensions, extension_by, findings_by, findings_returns, clearance_by,
  clearance_reason, clearance_scope, clearance_until, clearances, clearance_live, papers_due, sampled, decided_by, disposed, proof_by,
  proof_returns, stages, take_backs, resolution, verdict, verdict_by, verdict_changes, reopenings, urgings, overdue, closed_at, limits,
  next_due_at, next_policy, next_event) ON alerts TO mj_web;
GRANT UPDATE ON alerts TO mj_worker;

CREATE FUNCTION queue_alert_commitment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO ledger_queue (commitment, log) SELECT NEW.commitment, left(a.place, 6) FROM alerts a WHERE a.id = NEW.alert_id
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION queue_alert_commitment() FROM PUBLIC;
CREATE TRIGGER alert_events_are_committed AFTER INSERT ON alert_events FOR EACH ROW EXECUTE FUNCTION queue_alert_commitment();

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['alerts', 'alert_rules', 'alert_packets', 'alert_evidence', 'alert_events', 'alert_questions', 'alert_tasks',
                           'alert_clearances', 'alert_suppressions', 'alert_verdicts', 'alert_disposals', 'alert_money', 'alert_links',
                           'alert_sources'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    CONTINUE WHEN t = 'alert_sources';
    EXECUTE format('CREATE POLICY swept ON %I TO mj_worker USING (current_setting(''mj.kind'', true) = ''system'') '
                   'WITH CHECK (current_setting(''mj.kind'', true) = ''system'')', t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['alert_evidence', 'alert_events', 'alert_clearances', 'alert_verdicts', 'alert_disposals', 'alert_money'] LOOP
    EXECUTE format('CREATE POLICY seen ON %I FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id))', t);
  END LOOP;
END $$;

-- Before it has been asked who must withdraw, nobody sees an alert. Discipline bodies see those of their area; an office, a department, a
-- dispatched group and a village committee those that they check or are told of, a village committee nothing red. What is held back is for
-- the owners of rules. A unit that has to answer does so through its question or task, and comes to the alert only to do that.
CREATE POLICY seen ON alerts TO mj_web USING (
  current_setting('mj.kind', true) = 'staff' AND screened_at IS NOT NULL
  AND ((place >= current_setting('mj.lo', true) AND place < current_setting('mj.hi', true)
        AND CASE current_setting('mj.role', true)
              WHEN 'county_discipline' THEN true
              WHEN 'upper_discipline' THEN true
              WHEN 'township_discipline' THEN state NOT IN ('filed', 'held')
              WHEN 'village_supervisor' THEN colour IN ('blue', 'yellow') AND state NOT IN ('filed', 'held', 'muted')
                                         AND nullif(current_setting('mj.org', true), '')::uuid = ANY (org_id || copy_org_ids)
              WHEN 'township_office' THEN state NOT IN ('filed', 'held', 'muted')
                                      AND nullif(current_setting('mj.org', true), '')::uuid = ANY (org_id || copy_org_ids)
              WHEN 'department_handler' THEN state NOT IN ('filed', 'held', 'muted')
                                         AND nullif(current_setting('mj.org', true), '')::uuid = ANY (org_id || copy_org_ids)
              WHEN 'dispatched_group' THEN state NOT IN ('filed', 'held', 'muted')
                                       AND nullif(current_setting('mj.org', true), '')::uuid = ANY (org_id || copy_org_ids)
              ELSE false END)
       OR (current_setting('mj.purpose', true) = 'answer_alert'
           AND unit_org_id = nullif(current_setting('mj.org', true), '')::uuid))
) WITH CHECK (current_setting('mj.kind', true) = 'staff');

-- Whoever it is about, and their kin and bodies, can not tell that it exists.
CREATE POLICY excluded ON alerts AS RESTRICTIVE TO mj_web USING (
  ((cardinality(excluded_org_ids) = 0 OR nullif(current_setting('mj.org', true), '')::uuid = ANY (excluded_org_ids) IS NOT TRUE)
   AND (cardinality(excluded_account_ids) = 0
        OR nullif(current_setting('mj.person', true), '')::uuid = ANY (excluded_account_ids) IS NOT TRUE))
  OR (current_setting('mj.purpose', true) = 'answer_alert' AND unit_org_id = nullif(current_setting('mj.org', true), '')::uuid)
) WITH CHECK (true);

CREATE POLICY seen ON alert_rules FOR SELECT TO mj_web USING (
  current_setting('mj.purpose', true) IS DISTINCT FROM 'answer_alert'
  AND EXISTS (SELECT 1 FROM alerts a WHERE a.rule_code = code AND a.rule_version = version));
CREATE POLICY seen ON alert_packets FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM alerts a WHERE a.packet_id = alert_packets.id));
CREATE POLICY seen ON alert_suppressions FOR SELECT TO mj_web USING (EXISTS (SELECT 1 FROM alert_clearances c WHERE c.id = clearance_id));
CREATE POLICY seen ON alert_links FOR SELECT TO mj_web USING (
  EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id) AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id));

CREATE POLICY written ON alert_events FOR INSERT TO mj_web WITH CHECK (
  EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id) AND mj_serves(actor_id, actor_role, org_id));

-- The unit sees its own questions and tasks, whoever it is to the alert.
CREATE POLICY seen ON alert_questions FOR SELECT TO mj_web USING (
  EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id)
  OR (current_setting('mj.kind', true) = 'staff' AND org_id = nullif(current_setting('mj.org', true), '')::uuid
      AND current_setting('mj.role', true) IN ('village_clerk', 'village_supervisor', 'township_office', 'department_handler')));
CREATE POLICY asked ON alert_questions FOR INSERT TO mj_web WITH CHECK (
  asked_by = nullif(current_setting('mj.person', true), '')::uuid AND EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id));
CREATE POLICY answered ON alert_questions FOR UPDATE TO mj_web
  USING (answer IS NULL AND org_id = nullif(current_setting('mj.org', true), '')::uuid AND current_setting('mj.purpose', true) = 'answer_alert')
  WITH CHECK (answered_by = nullif(current_setting('mj.person', true), '')::uuid);

CREATE POLICY seen ON alert_tasks FOR SELECT TO mj_web USING (
  EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id)
  OR (current_setting('mj.kind', true) = 'staff' AND org_id = nullif(current_setting('mj.org', true), '')::uuid
      AND current_setting('mj.role', true) IN ('village_clerk', 'village_supervisor', 'township_office', 'department_handler')));
CREATE POLICY ordered ON alert_tasks FOR INSERT TO mj_web WITH CHECK (
  current_setting('mj.kind', true) = 'staff' AND EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id));
CREATE POLICY proved ON alert_tasks FOR UPDATE TO mj_web
  USING (org_id = nullif(current_setting('mj.org', true), '')::uuid AND current_setting('mj.purpose', true) = 'answer_alert')
  WITH CHECK (proved_by = nullif(current_setting('mj.person', true), '')::uuid);

CREATE POLICY asked ON alert_clearances FOR INSERT TO mj_web WITH CHECK (
  asked_by = nullif(current_setting('mj.person', true), '')::uuid AND asked_org_id = nullif(current_setting('mj.org', true), '')::uuid
  AND decision IS NULL AND EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id));
CREATE POLICY decided ON alert_clearances FOR UPDATE TO mj_web
  USING (current_setting('mj.kind', true) = 'staff' AND EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id))
  WITH CHECK (decided_by IS NULL OR decided_by <> asked_by);

CREATE POLICY written ON alert_verdicts FOR INSERT TO mj_web WITH CHECK (
  account_id = nullif(current_setting('mj.person', true), '')::uuid AND EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id));
CREATE POLICY written ON alert_disposals FOR INSERT TO mj_web WITH CHECK (
  account_id = nullif(current_setting('mj.person', true), '')::uuid AND EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id));
CREATE POLICY written ON alert_money FOR INSERT TO mj_web WITH CHECK (
  account_id = nullif(current_setting('mj.person', true), '')::uuid AND EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id));
