CREATE OR REPLACE FUNCTION require_sight() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.petition_id IS NULL OR EXISTS (SELECT 1 FROM public.petitions p WHERE p.id OPERATOR(pg_catalog.=) NEW.petition_id)
     OR public.mj_wrote(NEW.petition_id)
     -- A reader of a clue may serve outside the area of its petition.
     OR EXISTS (SELECT 1 FROM public.clues c WHERE c.petition_id OPERATOR(pg_catalog.=) NEW.petition_id) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'nobody writes on a case that they do not see' USING ERRCODE = 'insufficient_privilege';
END $$;
