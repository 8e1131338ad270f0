/**
 * How PostgreSQL holds the contract: one table, every row under its partition, and one function that is a whole transaction. The
 * function is written for READ COMMITTED: it takes the partition's lock first, and each statement behind that sees what the holder
 * before it committed.
 *
 * `era` is the timeline under which a row was written. A replica that was promoted, or a backup that was brought back, begins another
 * one, and writes that were acknowledged may be missing: then every replay window is raised by 2^20 before it is used (ATH-7.6).
 */
const TABLES = `
CREATE TABLE athkit.cells (
  partition text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  value text NOT NULL,
  ring bytea,
  version bigint NOT NULL,
  era integer NOT NULL,
  expires_at bigint,
  PRIMARY KEY (partition, kind, key)
) WITH (fillfactor = 80);
CREATE INDEX cells_expiry ON athkit.cells (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE athkit.outbox (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  partition text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  value text NOT NULL,
  UNIQUE (partition, id)
);
CREATE SEQUENCE athkit.versions;`

/** The timeline stands in the first eight digits of the name of the log's present file. */
const ERA = `
CREATE FUNCTION athkit.era() RETURNS integer LANGUAGE sql VOLATILE AS $$
  SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer
$$;`

/** Versions of two timelines never meet: one that was lost with its timeline is not given out again. */
const WRITE = `
CREATE FUNCTION athkit.write(p text, k text, name text, val text, bits bytea, ends bigint, now_era integer)
RETURNS bigint LANGUAGE sql VOLATILE AS $$
  INSERT INTO athkit.cells (partition, kind, key, value, ring, version, era, expires_at)
  VALUES (p, k, name, val, bits, (now_era % 512) * 17592186044416 + nextval('athkit.versions'), now_era, ends)
  ON CONFLICT (partition, kind, key) DO UPDATE SET value = excluded.value, ring = excluded.ring,
    version = excluded.version, era = excluded.era, expires_at = excluded.expires_at
  RETURNING version
$$;`

/** `rate.ts` in SQL; the contract's suite compares the two. */
const ADMIT = `
CREATE FUNCTION athkit.admit(before jsonb, limits jsonb, now_ms float8, OUT events jsonb, OUT retry_after integer)
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  longest jsonb; known jsonb; kept jsonb; bucket jsonb;
  seconds float8; most float8; at float8; last float8; width float8; bucket_end float8; excess float8;
BEGIN
  events := '[]'; retry_after := 0;
  SELECT w INTO longest FROM jsonb_array_elements(before) w ORDER BY (w->>0)::float8 DESC LIMIT 1;
  FOR seconds IN
    SELECT (w->>0)::float8 FROM jsonb_array_elements(before) w
    UNION SELECT (l->>'windowSeconds')::float8 FROM jsonb_array_elements(limits) l
  LOOP
    SELECT w INTO known FROM jsonb_array_elements(before) w WHERE (w->>0)::float8 = seconds;
    known := coalesce(known, longest);
    last := (known->1->-1->>0)::float8;
    at := CASE WHEN last IS NULL THEN now_ms
      ELSE greatest(now_ms, last - (known->>0)::float8 * (1000::float8 / 60)) END;
    SELECT coalesce(jsonb_agg(b ORDER BY n), '[]') INTO kept
      FROM jsonb_array_elements(known->1) WITH ORDINALITY AS x(b, n) WHERE (b->>0)::float8 > at - seconds * 1000;
    SELECT min((l->>'limit')::float8) INTO most
      FROM jsonb_array_elements(limits) l WHERE (l->>'windowSeconds')::float8 = seconds;
    IF most IS NOT NULL THEN
      SELECT coalesce(sum((b->>1)::float8), 0) - most + 1 INTO excess FROM jsonb_array_elements(kept) b;
      FOR bucket IN SELECT b FROM jsonb_array_elements(kept) WITH ORDINALITY AS x(b, n) ORDER BY n LOOP
        EXIT WHEN excess <= 0;
        excess := excess - (bucket->>1)::float8;
        retry_after := greatest(retry_after, ceil(((bucket->>0)::float8 + seconds * 1000 - at) / 1000)::integer, 1);
      END LOOP;
    END IF;
    CONTINUE WHEN most IS NULL AND jsonb_array_length(kept) = 0;
    width := greatest(1, floor(seconds * 1000 / 60));
    bucket_end := (floor(at / width) + 1) * width;
    IF (kept->-1->>0)::float8 >= bucket_end THEN
      kept := jsonb_set(kept, '{-1,1}', to_jsonb((kept->-1->>1)::bigint + 1));
    ELSE
      kept := kept || jsonb_build_array(jsonb_build_array(bucket_end, 1));
    END IF;
    events := events || jsonb_build_array(jsonb_build_array(seconds, kept));
  END LOOP;
END $$;`

/** `window.ts` in SQL, its bits in a ring: the place of a number is the number modulo 1024. */
const MARK = `
CREATE FUNCTION athkit.mark(p text, name text, seq bigint, ends bigint, now_s bigint, now_era integer)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  empty CONSTANT bytea := decode(repeat('00', 128), 'hex');
  full_ring CONSTANT bytea := decode(repeat('ff', 128), 'hex');
  most CONSTANT bigint := 9007199254740991;
  raise_by CONSTANT bigint := 1048576;
  top bigint; bits bytea; written_in integer; place integer; fresh boolean;
BEGIN
  SELECT value::bigint, ring, era INTO top, bits, written_in FROM athkit.cells
    WHERE partition = p AND kind = 'window' AND key = name AND (expires_at IS NULL OR expires_at > now_s);
  IF NOT FOUND THEN
    top := -1; bits := empty; written_in := now_era;
    IF seq >= 0 AND EXISTS (SELECT 1 FROM athkit.cells WHERE partition = p AND era <> now_era) THEN
      written_in := NULL;
    END IF;
  END IF;
  IF written_in IS DISTINCT FROM now_era THEN
    top := least(top + raise_by, most); bits := full_ring;
  END IF;
  place := ((seq + 1024) % 1024)::integer;
  IF seq > top THEN
    fresh := true;
    IF seq - top >= 1024 THEN
      bits := empty;
    ELSE
      FOR passed IN top + 1 .. seq LOOP bits := set_bit(bits, ((passed + 1024) % 1024)::integer, 0); END LOOP;
    END IF;
    top := seq;
  ELSE
    fresh := top - seq < 1024 AND get_bit(bits, place) = 0;
  END IF;
  IF fresh THEN
    PERFORM athkit.write(p, 'window', name, top::text, set_bit(bits, place, 1), ends, now_era);
  END IF;
  IF top >= most THEN RETURN jsonb_build_object('fresh', fresh); END IF;
  RETURN jsonb_build_object('fresh', fresh, 'nextSeq', top + 1);
END $$;`

/** `run.ts` in SQL. */
const RUN = `
CREATE FUNCTION athkit.run(p text, ops jsonb, now_s bigint, OUT outcome text, OUT stopped_at integer, OUT results jsonb[])
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  op jsonb; i integer := 0; name text; refused boolean; result jsonb; wanted text; found_row jsonb; events jsonb;
  retry integer; ends bigint; now_era CONSTANT integer := athkit.era();
BEGIN
  outcome := 'done'; results := '{}';
  FOR op IN SELECT value FROM jsonb_array_elements(ops) LOOP
    name := op->>'key'; wanted := op->>'if'; ends := (op->>'expiresAt')::bigint;
    refused := false; result := NULL; found_row := NULL;
    IF op->>'op' IN ('get', 'put', 'delete', 'take') THEN
      SELECT jsonb_build_object('value', c.value, 'version', c.version) INTO found_row FROM athkit.cells c
        WHERE c.partition = p AND c.kind = 'row' AND c.key = name AND (c.expires_at IS NULL OR c.expires_at > now_s);
    END IF;
    CASE op->>'op'
    WHEN 'get' THEN
      result := found_row;
      refused := wanted IS NOT NULL AND (wanted = 'present') <> (found_row IS NOT NULL);
    WHEN 'list' THEN
      SELECT coalesce(jsonb_agg(jsonb_build_object('key', l.key, 'value', l.value, 'version', l.version) ORDER BY l.key), '[]')
        INTO result FROM (
          SELECT c.key, c.value, c.version FROM athkit.cells c
          WHERE c.partition = p AND c.kind = 'row' AND c.key >= op->>'prefix' AND starts_with(c.key, op->>'prefix')
            AND (c.expires_at IS NULL OR c.expires_at > now_s)
          ORDER BY c.key LIMIT (op->>'limit')::integer) l;
    WHEN 'put' THEN
      refused := CASE WHEN wanted IS NULL THEN false WHEN wanted = 'absent' THEN found_row IS NOT NULL
        ELSE found_row->>'version' IS DISTINCT FROM wanted END;
      IF refused THEN
        result := jsonb_build_object('stored', false, 'row', found_row);
      ELSE
        result := jsonb_build_object('stored', true, 'row', jsonb_build_object('value', op->>'value',
          'version', athkit.write(p, 'row', name, op->>'value', NULL, ends, now_era)));
      END IF;
    WHEN 'delete' THEN
      refused := wanted IS NOT NULL AND found_row->>'version' IS DISTINCT FROM wanted;
      IF NOT refused THEN
        DELETE FROM athkit.cells c WHERE c.partition = p AND c.kind = 'row' AND c.key = name;
      END IF;
      result := jsonb_build_object('deleted', NOT refused AND found_row IS NOT NULL);
    WHEN 'take' THEN
      DELETE FROM athkit.cells c WHERE c.partition = p AND c.kind = 'row' AND c.key = name;
      result := found_row; refused := found_row IS NULL;
    WHEN 'mark' THEN
      result := athkit.mark(p, name, (op->>'seq')::bigint, ends, now_s, now_era);
      refused := NOT (result->>'fresh')::boolean;
    WHEN 'count' THEN
      SELECT c.value::jsonb INTO events FROM athkit.cells c
        WHERE c.partition = p AND c.kind = 'events' AND c.key = name AND (c.expires_at IS NULL OR c.expires_at > now_s);
      SELECT a.events, a.retry_after INTO events, retry
        FROM athkit.admit(coalesce(events, '[]'), op->'limits', (op->>'nowMs')::float8) a;
      refused := retry > 0;
      IF NOT refused THEN
        SELECT ceil((op->>'nowMs')::float8 / 1000) + 2 * coalesce(max((w->>0)::float8), 0) INTO ends
          FROM jsonb_array_elements(events) w;
        PERFORM athkit.write(p, 'events', name, events::text, NULL, ends, now_era);
      END IF;
      result := jsonb_build_object('admitted', NOT refused, 'retryAfter', retry);
    WHEN 'append' THEN
      INSERT INTO athkit.outbox (partition, id, value) VALUES (p, op->>'id', op->>'value') ON CONFLICT DO NOTHING;
    WHEN 'drop' THEN
      DELETE FROM athkit.outbox o WHERE o.partition = p AND o.id IN (SELECT jsonb_array_elements_text(op->'ids'));
    END CASE;
    results[i + 1] := coalesce(result, 'null');
    IF refused AND coalesce(op->>'onRefusal', 'abort') <> 'continue' THEN
      outcome := CASE op->>'onRefusal' WHEN 'stop' THEN 'stopped' ELSE 'aborted' END;
      stopped_at := i;
      RETURN;
    END IF;
    i := i + 1;
  END LOOP;
END $$;`

/**
 * A whole transaction in one statement. What is aborted is undone inside it, by a subtransaction, which is only opened for those that
 * can be; an error that left the function would put its values into the server's log.
 */
const TRANSACT = `
CREATE FUNCTION athkit.transact(p text, ops jsonb, now_s bigint) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  outcome text; stopped_at integer; results jsonb[];
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'athkit needs READ COMMITTED: leave default_transaction_isolation of its connections as it is';
  END IF;
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(p, 7305));
  IF jsonb_path_exists(ops, '$[*] ? (!(@.onRefusal == "stop" || @.onRefusal == "continue"))') THEN
    BEGIN
      SELECT r.outcome, r.stopped_at, r.results INTO outcome, stopped_at, results FROM athkit.run(p, ops, now_s) r;
      IF outcome = 'aborted' THEN RAISE EXCEPTION USING ERRCODE = 'ATH00'; END IF;
    EXCEPTION WHEN SQLSTATE 'ATH00' THEN NULL;
    END;
  ELSE
    SELECT r.outcome, r.stopped_at, r.results INTO outcome, stopped_at, results FROM athkit.run(p, ops, now_s) r;
  END IF;
  RETURN jsonb_build_object('outcome', outcome, 'at', stopped_at, 'results', to_jsonb(results))::text;
END $$;`

/** In order; what has run somewhere is never changed, only followed. */
export const MIGRATIONS: readonly string[] = [[TABLES, ERA, WRITE, ADMIT, MARK, RUN, TRANSACT].join('\n')]
