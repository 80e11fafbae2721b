-- The question that 0014 asks of each row that the web role writes, for less than a third of its time. The answer is the same.
--
-- As one condition its three questions were made ready together for each row, with every policy of cases and clues inside. Asked one
-- by one, a question that is not reached costs nothing. What comes first is the cheapest and knows most rows: a filing writes all
-- of its own, and a change of state rewrites its case in the statement that writes what follows from it.
CREATE OR REPLACE FUNCTION require_sight() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.petition_id IS NULL OR public.mj_wrote(NEW.petition_id) THEN
    RETURN NULL;
  END IF;
  PERFORM 1 FROM public.petitions p WHERE p.id OPERATOR(pg_catalog.=) NEW.petition_id;
  IF FOUND THEN
    RETURN NULL;
  END IF;
  -- A reader of a clue may serve outside the area of its petition.
  PERFORM 1 FROM public.clues c WHERE c.petition_id OPERATOR(pg_catalog.=) NEW.petition_id;
  IF FOUND THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'nobody writes on a case that they do not see' USING ERRCODE = 'insufficient_privilege';
END $$;
