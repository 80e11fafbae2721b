CREATE TABLE attempts (
	key TEXT NOT NULL, 
	count INTEGER NOT NULL, 
	window_ends_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	locked_until TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_attempts PRIMARY KEY (key)
);
CREATE INDEX ix_attempts_window_ends_at ON attempts (window_ends_at);

CREATE TABLE clock_offset (
	singleton SMALLINT NOT NULL, 
	seconds INTEGER NOT NULL, 
	CONSTRAINT pk_clock_offset PRIMARY KEY (singleton), 
	CONSTRAINT ck_clock_offset_one_row CHECK (singleton = 1)
);

CREATE TABLE divisions (
	code TEXT COLLATE "C" NOT NULL, 
	name TEXT NOT NULL, 
	level INTEGER NOT NULL, 
	parent_code TEXT COLLATE "C", 
	path TEXT NOT NULL, 
	valid_from DATE NOT NULL, 
	withdrawn_on DATE, 
	CONSTRAINT pk_divisions PRIMARY KEY (code), 
	CONSTRAINT fk_divisions_parent_code FOREIGN KEY(parent_code) REFERENCES divisions (code)
);
CREATE INDEX ix_divisions_parent_code ON divisions (parent_code);

CREATE TABLE holiday_years (
	year SERIAL NOT NULL, 
	imported_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_holiday_years PRIMARY KEY (year)
);

CREATE TABLE holidays (
	day DATE NOT NULL, 
	is_off BOOLEAN NOT NULL, 
	source TEXT NOT NULL, 
	CONSTRAINT pk_holidays PRIMARY KEY (day)
);

CREATE TABLE idempotency_keys (
	key_mac TEXT NOT NULL, 
	body_mac TEXT NOT NULL, 
	status INTEGER NOT NULL, 
	answer JSONB NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_idempotency_keys PRIMARY KEY (key_mac)
);
CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at);

CREATE TABLE inbox (
	id UUID NOT NULL, 
	outbox_id UUID NOT NULL, 
	account_id UUID, 
	villager_id UUID, 
	petition_id UUID, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	template TEXT NOT NULL, 
	params JSONB NOT NULL, 
	read_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_inbox PRIMARY KEY (id)
);
CREATE INDEX ix_inbox_account ON inbox (account_id, at DESC);
CREATE UNIQUE INDEX ix_inbox_once ON inbox (outbox_id, account_id);
CREATE INDEX ix_inbox_petition ON inbox (petition_id, at DESC);
CREATE INDEX ix_inbox_villager ON inbox (villager_id, at DESC);

CREATE TABLE job_runs (
	id UUID NOT NULL, 
	job TEXT NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	finished_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	done INTEGER NOT NULL, 
	failed INTEGER NOT NULL, 
	CONSTRAINT pk_job_runs PRIMARY KEY (id)
);
CREATE INDEX ix_job_runs_job ON job_runs (job);

CREATE TABLE one_time_codes (
	id UUID NOT NULL, 
	phone TEXT NOT NULL, 
	code_mac TEXT NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	attempts INTEGER NOT NULL, 
	used_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_one_time_codes PRIMARY KEY (id)
);
CREATE INDEX ix_one_time_codes_expires_at ON one_time_codes (expires_at);
CREATE INDEX ix_one_time_codes_phone ON one_time_codes (phone);

CREATE TABLE outbox (
	id UUID NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	audience TEXT NOT NULL, 
	template TEXT NOT NULL, 
	petition_id UUID, 
	address TEXT, 
	params JSONB NOT NULL, 
	status TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_attempt_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	last_error TEXT, 
	sent_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_outbox PRIMARY KEY (id), 
	CONSTRAINT ck_outbox_status CHECK (status IN ('pending', 'sent', 'dead'))
);
CREATE INDEX ix_outbox_dead ON outbox (created_at) WHERE status = 'dead';
CREATE INDEX ix_outbox_pending ON outbox (next_attempt_at) WHERE status = 'pending';

CREATE TABLE policy_overrides (
	id UUID NOT NULL, 
	policy_id TEXT NOT NULL, 
	preset TEXT NOT NULL, 
	valid_from DATE NOT NULL, 
	amount INTEGER NOT NULL, 
	CONSTRAINT pk_policy_overrides PRIMARY KEY (id)
);

CREATE TABLE villagers (
	id UUID NOT NULL, 
	phone TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_villagers PRIMARY KEY (id), 
	CONSTRAINT uq_villagers_phone UNIQUE (phone)
);

CREATE TABLE organisations (
	id UUID NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	division_code TEXT COLLATE "C" NOT NULL, 
	level INTEGER NOT NULL, 
	parent_id UUID, 
	active BOOLEAN NOT NULL, 
	CONSTRAINT pk_organisations PRIMARY KEY (id), 
	CONSTRAINT fk_organisations_division_code FOREIGN KEY(division_code) REFERENCES divisions (code), 
	CONSTRAINT fk_organisations_parent_id FOREIGN KEY(parent_id) REFERENCES organisations (id)
);
CREATE INDEX ix_organisations_parent_id ON organisations (parent_id);
CREATE INDEX ix_organisations_place ON organisations (division_code, kind);

CREATE TABLE persons (
	id UUID NOT NULL, 
	name TEXT NOT NULL, 
	division_code TEXT COLLATE "C", 
	CONSTRAINT pk_persons PRIMARY KEY (id), 
	CONSTRAINT fk_persons_division_code FOREIGN KEY(division_code) REFERENCES divisions (code)
);
CREATE INDEX ix_persons_division_code ON persons (division_code);

CREATE TABLE kinships (
	id UUID NOT NULL, 
	person_id UUID NOT NULL, 
	relative_id UUID NOT NULL, 
	relation TEXT NOT NULL, 
	valid_from DATE NOT NULL, 
	valid_to DATE, 
	CONSTRAINT pk_kinships PRIMARY KEY (id), 
	CONSTRAINT fk_kinships_person_id FOREIGN KEY(person_id) REFERENCES persons (id), 
	CONSTRAINT fk_kinships_relative_id FOREIGN KEY(relative_id) REFERENCES persons (id)
);
CREATE INDEX ix_kinships_person_id ON kinships (person_id);
CREATE INDEX ix_kinships_relative_id ON kinships (relative_id);

CREATE TABLE posts (
	id UUID NOT NULL, 
	person_id UUID NOT NULL, 
	org_id UUID NOT NULL, 
	title TEXT NOT NULL, 
	valid_from DATE NOT NULL, 
	valid_to DATE, 
	CONSTRAINT pk_posts PRIMARY KEY (id), 
	CONSTRAINT fk_posts_person_id FOREIGN KEY(person_id) REFERENCES persons (id), 
	CONSTRAINT fk_posts_org_id FOREIGN KEY(org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_posts_org_id ON posts (org_id);
CREATE INDEX ix_posts_person_id ON posts (person_id);

CREATE TABLE staff_accounts (
	id UUID NOT NULL, 
	username TEXT NOT NULL, 
	name TEXT NOT NULL, 
	person_id UUID, 
	email TEXT, 
	password_hash TEXT NOT NULL, 
	must_change_password BOOLEAN NOT NULL, 
	totp_secret TEXT, 
	totp_confirmed_at TIMESTAMP WITH TIME ZONE, 
	totp_last_step INTEGER, 
	totp_reset_asked_by UUID, 
	left_on DATE, 
	CONSTRAINT pk_staff_accounts PRIMARY KEY (id), 
	CONSTRAINT uq_staff_accounts_username UNIQUE (username), 
	CONSTRAINT fk_staff_accounts_person_id FOREIGN KEY(person_id) REFERENCES persons (id), 
	CONSTRAINT fk_staff_accounts_totp_reset_asked_by FOREIGN KEY(totp_reset_asked_by) REFERENCES staff_accounts (id)
);
CREATE INDEX ix_staff_accounts_person_id ON staff_accounts (person_id);

CREATE TABLE appointments (
	id UUID NOT NULL, 
	account_id UUID NOT NULL, 
	role TEXT NOT NULL, 
	org_id UUID NOT NULL, 
	head BOOLEAN NOT NULL, 
	valid_from DATE NOT NULL, 
	valid_to DATE, 
	CONSTRAINT pk_appointments PRIMARY KEY (id), 
	CONSTRAINT ck_appointments_order CHECK (valid_to IS NULL OR valid_to >= valid_from), 
	CONSTRAINT fk_appointments_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id), 
	CONSTRAINT fk_appointments_org_id FOREIGN KEY(org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_appointments_account_id ON appointments (account_id);
CREATE INDEX ix_appointments_org_id ON appointments (org_id);

CREATE TABLE petitions (
	id UUID NOT NULL, 
	serial TEXT NOT NULL, 
	pin_mac TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	filed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	filed_on DATE NOT NULL, 
	division_code TEXT COLLATE "C" NOT NULL, 
	title TEXT NOT NULL, 
	body TEXT NOT NULL, 
	category TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	item_type TEXT NOT NULL, 
	priority TEXT NOT NULL, 
	simple BOOLEAN NOT NULL, 
	anonymous BOOLEAN NOT NULL, 
	villager_id UUID, 
	accused JSONB NOT NULL, 
	accused_org_ids UUID[] NOT NULL, 
	people_count INTEGER NOT NULL, 
	filed_by_id UUID, 
	confirmed_at TIMESTAMP WITH TIME ZONE, 
	claimed_fen BIGINT, 
	state TEXT NOT NULL, 
	level INTEGER NOT NULL, 
	owner_org_id UUID, 
	main_org_id UUID, 
	main_handler_id UUID, 
	co_org_ids UUID[] NOT NULL, 
	co_waiting_org_ids UUID[] NOT NULL, 
	past_org_ids UUID[] NOT NULL, 
	past_handler_ids UUID[] NOT NULL, 
	returned_org_ids UUID[] NOT NULL, 
	reply_author_id UUID, 
	round INTEGER NOT NULL, 
	designated BOOLEAN NOT NULL, 
	returns INTEGER NOT NULL, 
	dispatches INTEGER NOT NULL, 
	merges INTEGER NOT NULL, 
	parent_id UUID, 
	extension_days INTEGER NOT NULL, 
	extension_requests INTEGER NOT NULL, 
	extension_requested_by UUID, 
	parked INTEGER NOT NULL, 
	suspension_days INTEGER NOT NULL, 
	suspended_requested_by UUID, 
	reply_returns INTEGER NOT NULL, 
	answers INTEGER NOT NULL, 
	rating_changes INTEGER NOT NULL, 
	dissatisfied INTEGER NOT NULL, 
	reviews INTEGER NOT NULL, 
	rechecks INTEGER NOT NULL, 
	urgings INTEGER NOT NULL, 
	colour TEXT, 
	supervised BOOLEAN NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE, 
	return_until TIMESTAMP WITH TIME ZONE, 
	rating_until TIMESTAMP WITH TIME ZONE, 
	review_until TIMESTAMP WITH TIME ZONE, 
	next_due_at TIMESTAMP WITH TIME ZONE, 
	next_policy TEXT, 
	next_event TEXT, 
	last_visible_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_petitions PRIMARY KEY (id), 
	CONSTRAINT ck_petitions_state CHECK (state IN ('filed', 'registered', 'accepted', 'dispatched', 'signed', 'return_requested', 'handling', 'suspended', 'investigated', 'replied', 'resolved', 'dissatisfied', 'escalated', 'external', 'reviewing', 'reviewed', 'rechecking', 'merged', 'rated', 'closed', 'explained', 'final', 'withdrawn', 'not_accepted', 'redirected', 'sealed', 'ended')), 
	CONSTRAINT uq_petitions_serial UNIQUE (serial), 
	CONSTRAINT fk_petitions_division_code FOREIGN KEY(division_code) REFERENCES divisions (code), 
	CONSTRAINT fk_petitions_villager_id FOREIGN KEY(villager_id) REFERENCES villagers (id), 
	CONSTRAINT fk_petitions_filed_by_id FOREIGN KEY(filed_by_id) REFERENCES staff_accounts (id), 
	CONSTRAINT fk_petitions_owner_org_id FOREIGN KEY(owner_org_id) REFERENCES organisations (id), 
	CONSTRAINT fk_petitions_main_org_id FOREIGN KEY(main_org_id) REFERENCES organisations (id), 
	CONSTRAINT fk_petitions_main_handler_id FOREIGN KEY(main_handler_id) REFERENCES staff_accounts (id), 
	CONSTRAINT fk_petitions_reply_author_id FOREIGN KEY(reply_author_id) REFERENCES staff_accounts (id), 
	CONSTRAINT fk_petitions_parent_id FOREIGN KEY(parent_id) REFERENCES petitions (id), 
	CONSTRAINT fk_petitions_extension_requested_by FOREIGN KEY(extension_requested_by) REFERENCES staff_accounts (id), 
	CONSTRAINT fk_petitions_suspended_requested_by FOREIGN KEY(suspended_requested_by) REFERENCES staff_accounts (id)
);
CREATE INDEX ix_petitions_co_orgs ON petitions USING gin (co_org_ids);
CREATE INDEX ix_petitions_due ON petitions (next_due_at) WHERE state IN ('filed', 'registered', 'accepted', 'dispatched', 'signed', 'return_requested', 'handling', 'suspended', 'investigated', 'replied', 'resolved', 'dissatisfied', 'escalated', 'external', 'reviewing', 'reviewed', 'rechecking', 'merged');
CREATE INDEX ix_petitions_main_org ON petitions (main_org_id, filed_at DESC);
CREATE INDEX ix_petitions_newest ON petitions (filed_at DESC, id DESC);
CREATE INDEX ix_petitions_open ON petitions (filed_at DESC, id DESC) WHERE state IN ('filed', 'registered', 'accepted', 'dispatched', 'signed', 'return_requested', 'handling', 'suspended', 'investigated', 'replied', 'resolved', 'dissatisfied', 'escalated', 'external', 'reviewing', 'reviewed', 'rechecking', 'merged');
CREATE INDEX ix_petitions_parent ON petitions (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_petitions_place ON petitions (division_code, filed_at DESC, id DESC);
CREATE INDEX ix_petitions_state ON petitions (state, filed_at DESC, id DESC);
CREATE INDEX ix_petitions_supervised ON petitions (filed_at DESC, id DESC) WHERE supervised;
CREATE INDEX ix_petitions_villager ON petitions (villager_id, filed_at DESC);

CREATE TABLE attachments (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	uploader_kind TEXT NOT NULL, 
	uploader_id UUID, 
	name TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	received BIGINT NOT NULL, 
	media_type TEXT, 
	sha256 TEXT, 
	status TEXT NOT NULL, 
	refused_because TEXT, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_attachments PRIMARY KEY (id), 
	CONSTRAINT ck_attachments_status CHECK (status IN ('uploading', 'quarantined', 'released', 'refused')), 
	CONSTRAINT fk_attachments_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
CREATE INDEX ix_attachments_petition_id ON attachments (petition_id);
CREATE INDEX ix_attachments_quarantined ON attachments (created_at) WHERE status = 'quarantined';

CREATE TABLE case_messages (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	author_kind TEXT NOT NULL, 
	author_id UUID, 
	org_id UUID, 
	internal BOOLEAN NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_case_messages PRIMARY KEY (id), 
	CONSTRAINT fk_case_messages_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
CREATE INDEX ix_case_messages_petition_id ON case_messages (petition_id);

CREATE TABLE deadlines (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	key TEXT NOT NULL, 
	policy_id TEXT NOT NULL, 
	policy_version DATE NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	raw_on DATE, 
	due_on DATE, 
	due_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	provisional BOOLEAN NOT NULL, 
	paused_days INTEGER NOT NULL, 
	extended_days INTEGER NOT NULL, 
	live BOOLEAN NOT NULL, 
	breached BOOLEAN NOT NULL, 
	forces TEXT, 
	met_at TIMESTAMP WITH TIME ZONE, 
	remind_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_deadlines PRIMARY KEY (id), 
	CONSTRAINT fk_deadlines_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
CREATE UNIQUE INDEX ix_deadlines_case ON deadlines (petition_id, key);
CREATE INDEX ix_deadlines_due ON deadlines (due_at, id) WHERE live AND forces IS NOT NULL;
CREATE INDEX ix_deadlines_provisional ON deadlines (petition_id) WHERE live AND provisional;
CREATE INDEX ix_deadlines_remind ON deadlines (remind_at, id) WHERE live AND remind_at IS NOT NULL;

CREATE TABLE meetings (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	held_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	org_ids UUID[] NOT NULL, 
	minutes TEXT NOT NULL, 
	recorded_by UUID NOT NULL, 
	CONSTRAINT pk_meetings PRIMARY KEY (id), 
	CONSTRAINT fk_meetings_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id), 
	CONSTRAINT fk_meetings_recorded_by FOREIGN KEY(recorded_by) REFERENCES staff_accounts (id)
);
CREATE INDEX ix_meetings_petition_id ON meetings (petition_id);

CREATE TABLE money_entries (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	kind TEXT NOT NULL, 
	amount_fen BIGINT NOT NULL, 
	"on" DATE NOT NULL, 
	note TEXT NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	recorded_by UUID, 
	CONSTRAINT pk_money_entries PRIMARY KEY (id), 
	CONSTRAINT ck_money_entries_kind CHECK (kind IN ('claimed', 'recovered', 'paid_out')), 
	CONSTRAINT ck_money_entries_amount CHECK (amount_fen <> 0), 
	CONSTRAINT fk_money_entries_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
CREATE INDEX ix_money_entries_petition_id ON money_entries (petition_id);

CREATE TABLE petition_events (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	seq INTEGER NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	clock_offset_seconds INTEGER NOT NULL, 
	event TEXT NOT NULL, 
	from_state TEXT, 
	to_state TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id UUID, 
	actor_role TEXT NOT NULL, 
	org_id UUID, 
	public BOOLEAN NOT NULL, 
	facts JSONB NOT NULL, 
	CONSTRAINT pk_petition_events PRIMARY KEY (id), 
	CONSTRAINT fk_petition_events_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
CREATE UNIQUE INDEX ix_petition_events_case ON petition_events (petition_id, seq);

CREATE TABLE petitioners (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	part TEXT NOT NULL, 
	name TEXT, 
	phone TEXT, 
	address TEXT, 
	CONSTRAINT pk_petitioners PRIMARY KEY (id), 
	CONSTRAINT fk_petitioners_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
CREATE INDEX ix_petitioners_petition_id ON petitioners (petition_id);

CREATE TABLE ratings (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	round INTEGER NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	office_grade TEXT NOT NULL, 
	body_grade TEXT NOT NULL, 
	reason TEXT, 
	CONSTRAINT pk_ratings PRIMARY KEY (id), 
	CONSTRAINT fk_ratings_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id)
);
CREATE INDEX ix_ratings_petition_id ON ratings (petition_id);

CREATE TABLE sessions (
	id UUID NOT NULL, 
	kind TEXT NOT NULL, 
	account_id UUID, 
	appointment_id UUID, 
	villager_id UUID, 
	petition_id UUID, 
	refresh_jti TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	revoked_at TIMESTAMP WITH TIME ZONE, 
	revoked_because TEXT, 
	CONSTRAINT pk_sessions PRIMARY KEY (id), 
	CONSTRAINT ck_sessions_kind CHECK (kind IN ('staff', 'villager', 'receipt')), 
	CONSTRAINT fk_sessions_account_id FOREIGN KEY(account_id) REFERENCES staff_accounts (id), 
	CONSTRAINT fk_sessions_appointment_id FOREIGN KEY(appointment_id) REFERENCES appointments (id), 
	CONSTRAINT fk_sessions_villager_id FOREIGN KEY(villager_id) REFERENCES villagers (id)
);
CREATE INDEX ix_sessions_account_id ON sessions (account_id);
CREATE INDEX ix_sessions_expires_at ON sessions (expires_at);
CREATE INDEX ix_sessions_villager_id ON sessions (villager_id);

CREATE TABLE supervision_orders (
	id UUID NOT NULL, 
	petition_id UUID NOT NULL, 
	state TEXT NOT NULL, 
	level INTEGER NOT NULL, 
	issuer_org_id UUID, 
	target_org_id UUID, 
	reason TEXT NOT NULL, 
	colour TEXT NOT NULL, 
	issued_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	answer TEXT, 
	answered_by UUID, 
	answered_at TIMESTAMP WITH TIME ZONE, 
	verified_by UUID, 
	returns INTEGER NOT NULL, 
	overdue BOOLEAN NOT NULL, 
	CONSTRAINT pk_supervision_orders PRIMARY KEY (id), 
	CONSTRAINT ck_supervision_orders_state CHECK (state IN ('issued', 'answered', 'verified', 'released')), 
	CONSTRAINT fk_supervision_orders_petition_id FOREIGN KEY(petition_id) REFERENCES petitions (id), 
	CONSTRAINT fk_supervision_orders_issuer_org_id FOREIGN KEY(issuer_org_id) REFERENCES organisations (id), 
	CONSTRAINT fk_supervision_orders_target_org_id FOREIGN KEY(target_org_id) REFERENCES organisations (id)
);
CREATE INDEX ix_supervision_orders_due ON supervision_orders (due_at) WHERE state = 'issued';
CREATE INDEX ix_supervision_orders_petition_id ON supervision_orders (petition_id);

