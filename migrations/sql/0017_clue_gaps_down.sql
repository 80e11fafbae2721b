DROP FUNCTION clue_hearers(uuid[]), pass_on_clue(uuid, uuid[], timestamptz), clues_forsaken(), clue_has_finder(uuid, uuid[]), clue_heads(uuid, uuid[]);
DELETE FROM outbox WHERE audience IN ('readers', 'clue_heads');
UPDATE clues SET state = 'sealed' WHERE state = 'sent_down';
ALTER TABLE clues DROP CONSTRAINT ck_clues_state;
ALTER TABLE clues ADD CONSTRAINT ck_clues_state CHECK (state IN ('sealed', 'sent_up', 'verified_realname', 'anonymous', 'accepted', 'assigned', 'disposal_proposed', 'talk_inquiry', 'preliminary_verification', 'kept', 'closed_clue', 'case_filed', 'concluded', 'fed_back', 'archived', 'outside'));
ALTER TABLE clues DROP COLUMN transfers, DROP COLUMN result_reported;
