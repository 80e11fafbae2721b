DROP TRIGGER reasons_are_forgotten ON petitions;
DROP FUNCTION forget_lifting_reasons();
-- What was lifted is in force again: without this step nobody could say why it is not.
DROP POLICY lifted ON exclusions;
REVOKE UPDATE (lifting_id) ON exclusions FROM mj_web;
DELETE FROM exclusions e USING exclusions o
 WHERE e.lifting_id IS NOT NULL AND o.petition_id = e.petition_id AND o.id <> e.id
   AND (o.account_id, o.org_id) IS NOT DISTINCT FROM (e.account_id, e.org_id) AND (o.lifting_id IS NULL OR o.id < e.id);
UPDATE petitions p
   SET excluded_account_ids = p.excluded_account_ids || ARRAY(SELECT account_id FROM exclusions e WHERE e.petition_id = p.id AND e.lifting_id IS NOT NULL AND e.account_id IS NOT NULL),
       excluded_org_ids = p.excluded_org_ids || ARRAY(SELECT org_id FROM exclusions e WHERE e.petition_id = p.id AND e.lifting_id IS NOT NULL AND e.org_id IS NOT NULL)
 WHERE p.id IN (SELECT petition_id FROM exclusions WHERE lifting_id IS NOT NULL);
DROP INDEX ix_exclusions_once;
ALTER TABLE exclusions DROP COLUMN lifting_id;
CREATE UNIQUE INDEX ix_exclusions_once ON exclusions (petition_id, account_id, org_id) NULLS NOT DISTINCT;
DROP TABLE lifting_steps, liftings;
DROP FUNCTION may_lift(uuid);
ALTER TABLE petitions DROP COLUMN cleared_ids;
