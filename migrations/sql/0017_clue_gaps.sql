-- Art 16: what belongs to a body below is sent there. Art 18: the report office hears of the result each quarter.
ALTER TABLE clues ADD COLUMN result_reported BOOLEAN NOT NULL DEFAULT false, ADD COLUMN transfers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clues ALTER COLUMN result_reported DROP DEFAULT, ALTER COLUMN transfers DROP DEFAULT;
ALTER TABLE clues DROP CONSTRAINT ck_clues_state;
ALTER TABLE clues ADD CONSTRAINT ck_clues_state CHECK (state IN ('sealed', 'sent_up', 'sent_down', 'verified_realname', 'anonymous', 'accepted', 'assigned', 'disposal_proposed', 'talk_inquiry', 'preliminary_verification', 'kept', 'closed_clue', 'case_filed', 'concluded', 'fed_back', 'archived', 'outside'));
