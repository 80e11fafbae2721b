DROP FUNCTION push_alert(text, jsonb), fold_alerts(jsonb), fold_alert_rows(jsonb);
DROP TABLE alert_links, alert_money, alert_disposals, alert_verdicts, alert_tasks, alert_questions, alert_events, alert_suppressions,
           alert_clearances, alert_evidence, alerts, alert_packets, alert_rules, alert_sources;
DROP FUNCTION colour_rank(text), queue_alert_commitment();
