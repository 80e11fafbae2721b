DROP TABLE touched_groups, rule_runs, rule_events, rule_versions, rules;
DROP FUNCTION mj_rule_scope();
