"""Ten shipped rules as somebody who knows DuckDB well would write them by hand for these tables: the measure for what the engine prints.

Each text gives alert_key, dataset, row_id, colour, money: the same set of rows as the evidence of the rule. `$asof` is the day of judgement.
"""

LIVE = "superseded_at IS NULL AND NOT withdrawn"
# Area codes of a county, its city and its province, the nearest first.
_LEVELS = "UNNEST([place[:6], place[:4] || '00', place[:2] || '0000']) AS area, UNNEST([0, 1, 2]) AS level"

# What joins steps of kinship that somebody sure has declared and nobody denied.
_STEPS = f"""
  sure AS MATERIALIZED (
    SELECT row_id, person_a, person_b, relation, coalesce(starts_on, DATE '0001-01-01') AS s, coalesce(ends_on, DATE '9999-12-31') AS e
    FROM records.relation r WHERE {LIVE} AND confidence IN ('official', 'declared')
      AND NOT EXISTS (SELECT 1 FROM records.relation d WHERE d.superseded_at IS NULL AND NOT d.withdrawn AND d.confidence = 'denied'
        AND ((d.person_a = r.person_a AND d.person_b = r.person_b) OR (d.person_a = r.person_b AND d.person_b = r.person_a)))),
  steps AS MATERIALIZED (
    SELECT person_b AS person, person_a AS kin, relation AS step, s, e, row_id FROM sure
    UNION ALL
    SELECT person_a, person_b, CASE relation WHEN 'spouse' THEN 'spouse' WHEN 'parent' THEN 'child' ELSE 'parent' END, s, e, row_id FROM sure)
"""

BY_HAND: dict[str, str] = {
    "ZJ-01": f"""
WITH paid AS (
  SELECT row_id, place, entry_on, amount, voucher_no, purpose, counterpart FROM records.zj_journal
  WHERE {LIVE} AND direction = 'out' AND amount >= 100000 AND entry_on IS NOT NULL),
single AS (
  SELECT * FROM paid ANTI JOIN (
    SELECT place, entry_on, amount, purpose FROM paid GROUP BY ALL HAVING count(*) >= 3 AND count(DISTINCT counterpart) >= 3) USING (place, entry_on, amount, purpose)),
twice AS (
  SELECT place, entry_on, amount FROM single GROUP BY ALL HAVING count(*) >= 2 AND count(DISTINCT voucher_no) >= 2),
alike AS (
  SELECT t.place, t.entry_on, t.amount, j.row_id, count(*) OVER (PARTITION BY t.place, t.entry_on, t.amount) AS n
  FROM twice t JOIN records.zj_journal j ON j.place = t.place AND j.amount = t.amount
  WHERE j.superseded_at IS NULL AND NOT j.withdrawn AND j.direction = 'out')
SELECT place || '|' || entry_on || '|' || amount, 'zj_journal', row_id, CASE WHEN n <= 3 THEN 'red' ELSE 'yellow' END, amount FROM alike
""",
    "GC-01": f"""
WITH limits AS (
  SELECT county, starts_on, coalesce(ends_on, DATE '9999-12-31') AS ends_on, min(amount) FILTER (matter = 'works_small') AS small,
         min(amount) FILTER (matter = 'works_tender') AS tender
  FROM records.threshold WHERE {LIVE} AND matter IN ('works_small', 'works_tender') GROUP BY ALL),
contract AS (
  SELECT place, project, min(award_on) AS award_on, min(signed_on) AS signed_on FROM records.gc_contract WHERE {LIVE} GROUP BY ALL),
start AS (SELECT place, "project", min(actual_start) AS actual_start FROM records.gc_start WHERE {LIVE} GROUP BY ALL),
early AS (
  SELECT p.row_id, p.place, p.project_no, p.budget, p.event_on, s.actual_start, coalesce(c.award_on, c.signed_on) AS contracted_on
  FROM records.gc_project p
  LEFT JOIN contract c ON c.place = p.place AND c.project = p.project_no
  LEFT JOIN start s ON s.place = p.place AND s.project = p.project_no
  WHERE p.superseded_at IS NULL AND NOT p.withdrawn AND nullif(p.project_no, '') IS NOT NULL
    AND least(p.plan_start, s.actual_start) <= $asof + 7
    AND (coalesce(c.award_on, c.signed_on) IS NULL OR least(p.plan_start, s.actual_start) < coalesce(c.award_on, c.signed_on))),
levels AS (SELECT row_id, event_on, {_LEVELS} FROM early),
limited AS (
  SELECT l.row_id, arg_min(t.small, level) FILTER (t.small IS NOT NULL) AS small, arg_min(t.tender, level) FILTER (t.tender IS NOT NULL) AS tender
  FROM levels l JOIN limits t ON t.county = l.area AND t.starts_on <= l.event_on AND t.ends_on >= l.event_on GROUP BY l.row_id),
hits AS (
  SELECT e.*, CASE WHEN actual_start < contracted_on OR (actual_start IS NOT NULL AND contracted_on IS NULL) THEN 'red' ELSE 'yellow' END AS colour
  FROM early e JOIN limited USING (row_id) WHERE budget >= small AND budget < tender)
SELECT place || '|' || project_no, 'gc_project', row_id, colour, budget FROM hits
UNION
SELECT h.place || '|' || project_no, 'gc_contract', c.row_id, colour, budget FROM hits h
JOIN records.gc_contract c ON c.place = h.place AND c.project = h.project_no WHERE c.superseded_at IS NULL AND NOT c.withdrawn
UNION
SELECT h.place || '|' || project_no, 'gc_start', s.row_id, colour, budget FROM hits h
JOIN records.gc_start s ON s.place = h.place AND s.project = h.project_no WHERE s.superseded_at IS NULL AND NOT s.withdrawn
""",
    "LW-01": """
WITH met AS (
  SELECT w.row_id, w.place, w.worker, w.work_date, w.amount, p.row_id AS post
  FROM records.lw_payroll w JOIN records.post p ON p.person = w.worker AND p.place = w.place
  WHERE w.superseded_at IS NULL AND NOT w.withdrawn AND p.superseded_at IS NULL AND NOT p.withdrawn AND p.paid AND w.amount > 0
    AND w.kind IN ('labour', 'meeting', 'duty', 'flood', 'machine', 'consulting')
    AND (p.starts_on IS NULL OR p.starts_on <= w.work_date) AND (p.ends_on IS NULL OR p.ends_on >= w.work_date) AND w.work_date IS NOT NULL),
hits AS (SELECT DISTINCT row_id, place || '|' || worker || '|' || year(work_date) AS key, amount FROM met),
total AS (SELECT key, CAST(sum(amount) AS BIGINT) AS money FROM hits GROUP BY key)
SELECT key, 'lw_payroll', row_id, 'red', money FROM hits JOIN total USING (key)
UNION
SELECT key, 'post', m.post, 'red', money FROM met m JOIN hits USING (row_id) JOIN total USING (key)
""",
    "JZ-04": f"""
WITH {_STEPS},
asked AS (
  SELECT r.row_id, r.place, r.review_no, r.reviewer, r.done_on AS day, min(a.applicant) AS who
  FROM records.jz_review r JOIN records.jz_apply a ON a.apply_no = r.apply AND a.place = r.place
  WHERE r.superseded_at IS NULL AND NOT r.withdrawn AND a.superseded_at IS NULL AND NOT a.withdrawn AND r.reviewer IS NOT NULL AND r.done_on IS NOT NULL
  GROUP BY ALL),
met AS (
  SELECT row_id, NULL AS one, NULL AS two FROM asked WHERE who = reviewer
  UNION ALL
  SELECT a.row_id, s.row_id, NULL FROM asked a JOIN steps s ON s.person = a.who AND s.kin = a.reviewer WHERE a.day BETWEEN s.s AND s.e AND who <> reviewer
  UNION ALL
  SELECT a.row_id, s.row_id, t.row_id FROM asked a JOIN steps s ON s.person = a.who JOIN steps t ON t.person = s.kin AND t.kin = a.reviewer
  WHERE a.day BETWEEN s.s AND s.e AND a.day BETWEEN t.s AND t.e AND who <> reviewer
    AND ((s.step = 'parent' AND t.step IN ('child', 'parent')) OR (s.step = 'child' AND t.step = 'child'))),
hits AS (SELECT row_id, place || '|' || review_no AS key, "apply", place FROM records.jz_review SEMI JOIN met USING (row_id))
SELECT key, 'jz_review', row_id, 'red', CAST(NULL AS BIGINT) FROM hits
UNION
SELECT key, 'relation', one, 'red', NULL FROM met JOIN hits USING (row_id) WHERE one IS NOT NULL
UNION
SELECT key, 'relation', two, 'red', NULL FROM met JOIN hits USING (row_id) WHERE two IS NOT NULL
UNION
SELECT key, 'jz_apply', a.row_id, 'red', NULL FROM hits h JOIN records.jz_apply a ON a.apply_no = h.apply AND a.place = h.place
WHERE a.superseded_at IS NULL AND NOT a.withdrawn
""",
    "CG-02": f"""
WITH orders AS (
  SELECT row_id, place, supplier, amount, ordered_on, event_on FROM records.cg_order
  WHERE {LIVE} AND supplier IS NOT NULL AND amount IS NOT NULL AND ordered_on IS NOT NULL),
several AS (SELECT * FROM orders SEMI JOIN (SELECT place, supplier FROM orders GROUP BY ALL HAVING count(*) >= 2) USING (place, supplier)),
levels AS (SELECT row_id, event_on, {_LEVELS} FROM several),
limited AS (
  SELECT l.row_id, arg_min(t.amount, level) AS most FROM levels l JOIN (
    SELECT county, starts_on, coalesce(ends_on, DATE '9999-12-31') AS ends_on, min(amount) AS amount FROM records.threshold
    WHERE {LIVE} AND matter = 'goods_tender' GROUP BY ALL) t ON t.county = l.area AND t.starts_on <= l.event_on AND t.ends_on >= l.event_on
  GROUP BY l.row_id),
back AS (
  SELECT s.*, most, sum(amount) OVER w AS s90, count(*) OVER w AS n90 FROM several s JOIN limited USING (row_id) WHERE amount < most
  WINDOW w AS (PARTITION BY place, supplier ORDER BY ordered_on RANGE BETWEEN INTERVAL 90 DAY PRECEDING AND CURRENT ROW)),
reached AS (
  SELECT *, max(CASE WHEN s90 >= most AND n90 >= 2 THEN s90 END)
    OVER (PARTITION BY place, supplier ORDER BY ordered_on RANGE BETWEEN CURRENT ROW AND INTERVAL 90 DAY FOLLOWING) AS total FROM back)
SELECT place || '|' || nullif(supplier, ''), 'cg_order', row_id, 'red', CAST(total AS BIGINT) FROM reached
WHERE total IS NOT NULL AND nullif(supplier, '') IS NOT NULL
""",
    "ZC-01": f"""
WITH paid AS (SELECT place, contract, sum(amount) AS paid FROM records.zc_receipt WHERE {LIVE} GROUP BY ALL),
owed AS (
  SELECT row_id, place, contract_no, (date_diff('day', starts_on, least(ends_on, $asof)) // 365) * rent_per_year AS owed
  FROM records.zc_contract c
  WHERE {LIVE} AND pay_cycle <> 'once' AND rent_per_year IS NOT NULL AND date_diff('day', starts_on, $asof) - 365 > 0
    AND NOT EXISTS (SELECT 1 FROM records.zc_reduction r WHERE r.contract = c.contract_no AND r.place = c.place AND r.superseded_at IS NULL AND NOT r.withdrawn)),
hits AS (
  SELECT o.* FROM owed o LEFT JOIN paid p ON p.contract = o.contract_no AND p.place = o.place
  WHERE owed > 0 AND coalesce(paid, 0) = 0 AND nullif(contract_no, '') IS NOT NULL)
SELECT place || '|' || contract_no, 'zc_contract', row_id, 'red', CAST(owed AS BIGINT) FROM hits
UNION
SELECT h.place || '|' || contract_no, 'zc_receipt', r.row_id, 'red', CAST(owed AS BIGINT) FROM hits h
JOIN records.zc_receipt r ON r.contract = h.contract_no AND r.place = h.place WHERE r.superseded_at IS NULL AND NOT r.withdrawn
""",
    "CG-06": f"""
WITH orders AS (
  SELECT row_id, place, category, year(ordered_on) AS y, supplier, amount FROM records.cg_order
  WHERE {LIVE} AND category <> 'utility' AND supplier IS NOT NULL AND ordered_on IS NOT NULL),
busy AS (
  SELECT place, category, y, CAST(sum(amount) AS BIGINT) AS everything FROM orders GROUP BY ALL HAVING count(*) >= 10),
each AS (
  SELECT place, category, y, supplier, CAST(sum(amount) AS BIGINT) AS own FROM orders SEMI JOIN busy USING (place, category, y) GROUP BY ALL),
top AS (
  SELECT * FROM each QUALIFY row_number() OVER (PARTITION BY place, category, y ORDER BY own DESC, supplier) = 1)
SELECT o.place || '|' || nullif(o.category, '') || '|' || o.y || '|' || nullif(o.supplier, ''), 'cg_order', row_id, 'blue', own
FROM top t JOIN busy b USING (place, category, y) JOIN orders o USING (place, category, y, supplier)
WHERE own * 100 >= everything * 50 AND nullif(o.category, '') IS NOT NULL AND nullif(o.supplier, '') IS NOT NULL
""",
    "CG-07": f"""
WITH orders AS (
  SELECT row_id, place, place[:6] AS county, item, unit, year(ordered_on) AS y, unit_price, amount, order_no FROM records.cg_order
  WHERE {LIVE} AND unit_price IS NOT NULL AND item IS NOT NULL AND unit IS NOT NULL AND ordered_on IS NOT NULL),
fence AS (
  SELECT county, item, unit, y, quantile_disc(unit_price, 0.25) AS low, quantile_disc(unit_price, 0.75) AS high
  FROM orders GROUP BY ALL HAVING count(*) >= 8)
SELECT place || '|' || nullif(order_no, ''), 'cg_order', row_id, 'yellow', amount FROM orders JOIN fence USING (county, item, unit, y)
WHERE high > low AND unit_price * 100 > high * 100 + (high - low) * 150 AND nullif(order_no, '') IS NOT NULL
""",
    "ZJ-04": f"""
WITH docs AS (
  SELECT place, voucher, count(*) FILTER (kind IN ('invoice', 'fiscal', 'payroll', 'agreed_form')) AS lawful,
    count(*) FILTER (kind IN ('invoice', 'fiscal')) AS invoices FROM records.zj_voucher_doc WHERE {LIVE} GROUP BY ALL),
hits AS (
  SELECT v.row_id, v.place, v.voucher_no, v.amount, CASE WHEN amount >= 100000 THEN 'red' ELSE 'yellow' END AS colour
  FROM records.zj_voucher v LEFT JOIN docs d ON d.place = v.place AND d.voucher = v.voucher_no
  WHERE {LIVE} AND made_on < $asof - 15 AND nullif(voucher_no, '') IS NOT NULL
    AND (coalesce(lawful, 0) = 0 OR (needs_invoice AND coalesce(invoices, 0) = 0)))
SELECT place || '|' || voucher_no, 'zj_voucher', row_id, colour, amount FROM hits
UNION
SELECT h.place || '|' || voucher_no, 'zj_voucher_doc', d.row_id, colour, amount
FROM hits h JOIN records.zj_voucher_doc d ON d.place = h.place AND d.voucher = h.voucher_no
WHERE {LIVE} AND d.kind IN ('invoice', 'fiscal', 'payroll', 'agreed_form', 'slip', 'receipt')
""",
    "GC-07A": f"""
WITH bids AS (
  SELECT row_id, place, tender, deposit_account, bidder FROM records.gc_bid WHERE {LIVE} AND deposit_account IS NOT NULL AND tender IS NOT NULL),
shared AS (
  SELECT place, tender, deposit_account FROM bids GROUP BY ALL HAVING count(*) >= 2 AND count(DISTINCT bidder) >= 2)
SELECT place || '|' || nullif(tender, '') || '|' || nullif(deposit_account, ''), 'gc_bid', row_id, 'red', CAST(NULL AS BIGINT)
FROM bids SEMI JOIN shared USING (place, tender, deposit_account) WHERE nullif(tender, '') IS NOT NULL AND nullif(deposit_account, '') IS NOT NULL
""",
}
