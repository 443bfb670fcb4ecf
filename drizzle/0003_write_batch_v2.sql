CREATE INDEX "budgets_prompt_type" ON "budgets" USING btree ("prompt_type");--> statement-breakpoint
CREATE TYPE "write_batch_v2_type" AS (
	"prompt_type" text,
	"description" text,
	"track_full_data" boolean,
	"is_active" boolean,
	"total_calls" bigint,
	"failed_calls" bigint,
	"blocked_calls" bigint,
	"unpriced_calls" bigint,
	"total_input_tokens" bigint,
	"total_output_tokens" bigint,
	"total_cost" numeric(30, 12),
	"last_call_id" uuid,
	"last_called_at" timestamp with time zone,
	"last_prompt" integer,
	"last_response" integer,
	"last_model" text,
	"last_input_tokens" bigint,
	"last_output_tokens" bigint,
	"last_cost" numeric(30, 12),
	"last_user" text,
	"last_metadata" text,
	"last_duration_ms" integer,
	"last_status_code" integer,
	"last_success" boolean,
	"last_error" text
);
--> statement-breakpoint
CREATE TYPE "write_batch_v2_rollup" AS (
	"hour" timestamp with time zone,
	"prompt_type" text,
	"model" text,
	"user_name" text,
	"calls" bigint,
	"failed_calls" bigint,
	"blocked_calls" bigint,
	"unpriced_calls" bigint,
	"input_tokens" bigint,
	"cached_input_tokens" bigint,
	"output_tokens" bigint,
	"reasoning_tokens" bigint,
	"cost" numeric(30, 12),
	"duration_ms" bigint
);
--> statement-breakpoint
CREATE TYPE "write_batch_v2_log" AS (
	"id" uuid,
	"created_at" timestamp with time zone,
	"prompt_type" text,
	"task_description" text,
	"provider" text,
	"endpoint" text,
	"request_model" text,
	"response_model" text,
	"service_tier" text,
	"user_name" text,
	"key_id" uuid,
	"metadata" text,
	"stream" boolean,
	"status_code" integer,
	"success" boolean,
	"error_type" text,
	"error_message" text,
	"input_tokens" bigint,
	"cached_input_tokens" bigint,
	"output_tokens" bigint,
	"reasoning_tokens" bigint,
	"usage_details" text,
	"usage_source" text,
	"cost" numeric(30, 12),
	"cost_reason" text,
	"duration_ms" integer,
	"time_to_first_byte_ms" integer,
	"upstream_request_id" text,
	"request_bytes" bigint,
	"response_bytes" bigint,
	"prompt" integer,
	"response" integer,
	"type_place" integer
);
--> statement-breakpoint
-- What budgets need of the database. Each function is called in a transaction at READ COMMITTED, where every statement
-- sees what was committed before it: what a statement waited for is seen by the next one.

-- The first moment of the budget period that `at` falls into, as src/budget-period.ts has it.
CREATE FUNCTION "budget_period_start" (period text, at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN period = 'total' THEN 'epoch'::timestamptz ELSE date_trunc(period, at, 'UTC') END
$$;
--> statement-breakpoint
-- Makes a budget's alerts agree with what was spent of it in the period that starts then: every threshold that is reached
-- and has not fired gets its alert, with a delivery for each channel that the budget has; `exceeded_at` is set (to `at`)
-- or cleared as the spend compares to the limit. For a budget that is not there it does nothing.
--
-- The period's row is locked first: a batch that adds to it comes before, and is seen, or after, and sees this budget.
CREATE FUNCTION "fire_budget_alerts" (budget_id uuid, period_start timestamptz, at timestamptz DEFAULT now())
RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_variable
BEGIN
  INSERT INTO budget_periods AS spent (budget_id, period_start)
  SELECT budget.id, period_start FROM budgets AS budget WHERE budget.id = budget_id
  ON CONFLICT ON CONSTRAINT budget_periods_budget_id_period_start_pk DO UPDATE SET revision = spent.revision;
  UPDATE budget_periods AS spent
  SET exceeded_at = CASE WHEN spent.spent_usd >= budget.limit_usd THEN coalesce(spent.exceeded_at, at) END
  FROM budgets AS budget WHERE budget.id = budget_id AND spent.budget_id = budget.id AND spent.period_start = period_start;

  WITH fired AS (
    INSERT INTO budget_alerts AS alert (
      id, budget_id, budget_name, prompt_type, period, period_start, threshold, action, limit_usd, spent_usd, created_at
    )
    SELECT
      gen_random_uuid(), budget.id, budget.name, budget.prompt_type, budget.period, spent.period_start, threshold,
      budget.action, budget.limit_usd, spent.spent_usd, at
    FROM budgets AS budget
    JOIN budget_periods AS spent ON spent.budget_id = budget.id AND spent.period_start = period_start
    CROSS JOIN unnest(budget.thresholds) AS threshold
    WHERE budget.id = budget_id AND spent.spent_usd * 100 >= budget.limit_usd * threshold
    ORDER BY threshold
    ON CONFLICT ON CONSTRAINT budget_alerts_once DO NOTHING
    RETURNING alert.id
  )
  INSERT INTO alert_deliveries (id, alert_id, channel, target, next_attempt_at, created_at)
  SELECT gen_random_uuid(), fired.id, channel.name, channel.target, at, at
  FROM fired, budgets AS budget, LATERAL (VALUES ('webhook', budget.webhook_url), ('email', budget.email)) AS channel (name, target)
  WHERE budget.id = budget_id AND channel.target IS NOT NULL;
  IF FOUND THEN PERFORM pg_notify('promptmeter_alerts', ''); END IF;
END
$$;
--> statement-breakpoint
-- Sets what was spent of a budget, in the period that `at` falls into, to what the rollups say, under a new revision, and
-- fires its alerts. For a budget that is new, or whose scope or calls' costs have changed.
--
-- The lock waits for batches that have added to the rollups, and holds others off until the transaction ends: they then
-- find the budget and add to it, so that no call is missed or counted twice. It is held for no longer than it takes to
-- read a row a day: days that are summed up and not stale come from usage_summaries. Whoever changes rollups in the same
-- transaction takes the lock before (`lock table usage_rollups in share row exclusive mode`).
CREATE FUNCTION "recount_budget" (budget_id uuid, at timestamptz)
RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_variable
DECLARE
  budget budgets;
  start timestamptz;
  until timestamptz;
  summarised timestamptz;
BEGIN
  LOCK TABLE usage_rollups IN SHARE MODE;
  SELECT * INTO budget FROM budgets AS one WHERE one.id = budget_id;
  IF NOT FOUND THEN RETURN; END IF;
  start := budget_period_start(budget.period, at);
  until := CASE WHEN budget.period = 'total' THEN 'infinity' ELSE (start AT TIME ZONE 'UTC' + ('1 ' || budget.period)::interval) AT TIME ZONE 'UTC' END;
  summarised := coalesce((SELECT settings.summarised_to::timestamp AT TIME ZONE 'UTC' FROM gateway_settings AS settings), '-infinity');
  INSERT INTO budget_periods AS old (budget_id, period_start, spent_usd, revision)
  SELECT budget.id, start, coalesce(sum(part.cost), 0), 1 FROM (
    SELECT sum(summary.cost) AS cost FROM usage_summaries AS summary
    WHERE summary.grain = 'day' AND summary.dimension = CASE WHEN budget.prompt_type IS NULL THEN 'all' ELSE 'prompt_type' END
      AND summary.key = coalesce(budget.prompt_type, '') AND summary.bucket >= (start AT TIME ZONE 'UTC')::date
      AND summary.bucket < (least(summarised, until) AT TIME ZONE 'UTC')::date
      AND NOT EXISTS (SELECT FROM usage_summaries_stale AS stale WHERE stale.day = summary.bucket)
    UNION ALL
    SELECT sum(rollup.cost) FROM usage_summaries_stale AS stale
    JOIN usage_rollups AS rollup ON rollup.hour >= stale.day::timestamp AT TIME ZONE 'UTC'
      AND rollup.hour < (stale.day + 1)::timestamp AT TIME ZONE 'UTC' AND rollup.hour >= start AND rollup.hour < least(summarised, until)
    WHERE budget.prompt_type IS NULL OR rollup.prompt_type = budget.prompt_type
    UNION ALL
    SELECT sum(rollup.cost) FROM usage_rollups AS rollup
    WHERE rollup.hour >= greatest(start, summarised) AND rollup.hour < until AND (budget.prompt_type IS NULL OR rollup.prompt_type = budget.prompt_type)
  ) AS part
  ON CONFLICT ON CONSTRAINT budget_periods_budget_id_period_start_pk
  DO UPDATE SET spent_usd = excluded.spent_usd, revision = old.revision + 1;
  PERFORM fire_budget_alerts(budget.id, start, at);
END
$$;
--> statement-breakpoint
CREATE TYPE "write_batch_v2_charge" AS (
	"budget_id" uuid,
	"period_start" timestamp with time zone,
	"cost" numeric(30, 12)
);
--> statement-breakpoint
-- What a batch costs each budget in each of its periods, in the order in which all batches lock them.
--
-- This and the next are in PL/pgSQL, which keeps their plans: before PostgreSQL 18 a function in SQL is planned at every
-- call, which took as long as all else that is written of a lone record. Nothing but look-ups by a key is allowed them, for
-- a plan that does not know how long an array is would rather read all budgets.
CREATE FUNCTION "write_batch_v2_charges" (rollups "write_batch_v2_rollup"[]) RETURNS "write_batch_v2_charge"[]
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  RETURN ARRAY(
    SELECT ROW(budget.id, budget_period_start(budget.period, new.hour), sum(new.cost))::write_batch_v2_charge
    FROM unnest(rollups) AS new
    CROSS JOIN LATERAL (
      SELECT id, period FROM budgets WHERE prompt_type = new.prompt_type
      UNION ALL SELECT id, period FROM budgets WHERE prompt_type IS NULL
    ) AS budget
    WHERE new.cost > 0
    GROUP BY budget.id, budget_period_start(budget.period, new.hour)
    ORDER BY budget.id, budget_period_start(budget.period, new.hour)
  );
END
$$;
--> statement-breakpoint
-- What is spent now of the blocking budgets among those: `db/policy-store.ts` has the shape. Null: of none.
CREATE FUNCTION "write_batch_v2_spent" (charges "write_batch_v2_charge"[]) RETURNS json
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  RETURN (
    SELECT json_agg(json_build_object(
      'budgetId', spent.budget_id, 'periodStartMs', (extract(epoch FROM spent.period_start) * 1000)::float8,
      'spentUsd', spent.spent_usd::text, 'revision', spent.revision
    ))
    FROM unnest(charges) AS charge
    JOIN budget_periods AS spent ON spent.budget_id = charge.budget_id AND spent.period_start = charge.period_start
    JOIN budgets AS budget ON budget.id = charge.budget_id AND budget.action = 'block'
  );
END
$$;
--> statement-breakpoint
-- Adds a batch's charges to the spend, and fires the alerts of thresholds that they cross. The second statement sees a limit
-- that an operator set while the first one waited for the period's row.
CREATE FUNCTION "write_batch_v2_charge" (charges "write_batch_v2_charge"[], at timestamptz) RETURNS json
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  IF cardinality(charges) = 0 THEN RETURN NULL; END IF;
  INSERT INTO budget_periods AS old (budget_id, period_start, spent_usd)
  SELECT charge.budget_id, charge.period_start, charge.cost FROM unnest(charges) AS charge
  ON CONFLICT (budget_id, period_start) DO UPDATE SET spent_usd = old.spent_usd + excluded.spent_usd;
  PERFORM fire_budget_alerts(budget.id, spent.period_start, at)
  FROM unnest(charges) AS charge
  JOIN budgets AS budget ON budget.id = charge.budget_id
  JOIN budget_periods AS spent ON spent.budget_id = charge.budget_id AND spent.period_start = charge.period_start
  WHERE EXISTS (
    SELECT FROM unnest(budget.thresholds || 100) AS threshold
    WHERE budget.limit_usd * threshold > (spent.spent_usd - charge.cost) * 100 AND budget.limit_usd * threshold <= spent.spent_usd * 100
  );
  RETURN write_batch_v2_spent(charges);
END
$$;
--> statement-breakpoint
-- A batch of records is written by one call of write_batch_v2: write_batch_v1 (0001) with calls that a budget blocked, usage
-- details, budgets' spend and summaries that are out of date. What is said there of its parameters and locks holds.
--
--   recorded_batches ─▶ configs ─▶ usage_logs ─▶ prompt_stats ─▶ usage_rollups ─▶ usage_summaries_stale ─▶ budget_periods
--   ─▶ budget_alerts, alert_deliveries ─▶ gateway_settings
--
-- * A type of which all calls were blocked has no last call: its `last_call_id` is null, and what stands there stays.
-- * usage_summaries_stale: the days of calls that came late. Their rows are locked too: a job that deletes one and sums the
--   day again either sees this batch or has the row to do again.
-- * budget_periods: budgets are looked up by a statement behind the rollups, for `recount_budget` holds a batch off there.
--
-- The answer is null, or JSON text: `configIds` where one of `known_ids` was null, and `spent`, what is now spent of the
-- blocking budgets that the batch touches (also of a batch that was committed before).
CREATE FUNCTION "write_batch_v2" (
  batch_id uuid, known_ids bigint[],
  types "write_batch_v2_type"[], rollups "write_batch_v2_rollup"[], logs "write_batch_v2_log"[], texts text
) RETURNS text LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  config_ids bigint[] := known_ids;
  payloads text[] := string_to_array(texts, batch_id::text);
  config_is_new boolean := false;
  has_budgets boolean;
  summarised_to date;
  spent json;
BEGIN
  INSERT INTO recorded_batches (id) VALUES (batch_id) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    spent := write_batch_v2_spent(write_batch_v2_charges(rollups));
    RETURN CASE WHEN spent IS NOT NULL THEN json_build_object('spent', spent) END;
  END IF;

  IF array_position(known_ids, NULL) IS NOT NULL THEN
    FOR attempt IN 1..2 LOOP
      config_ids := ARRAY(
        SELECT (SELECT id FROM prompt_configs WHERE prompt_type = new.prompt_type FOR KEY SHARE) FROM unnest(types) AS new
      );
      EXIT WHEN attempt = 2 OR array_position(config_ids, NULL) IS NULL;
      WITH created AS (
        INSERT INTO prompt_configs AS config (prompt_type, description, track_full_data, is_active)
        SELECT new.prompt_type, new.description, new.track_full_data, new.is_active
        FROM unnest(types) WITH ORDINALITY AS new WHERE config_ids[new.ordinality] IS NULL
        ON CONFLICT (prompt_type) DO UPDATE SET description = config.description
        RETURNING xmax = 0 AS is_new
      )
      SELECT bool_or(is_new) INTO config_is_new FROM created;
    END LOOP;
  END IF;

  INSERT INTO usage_logs (
    id, created_at, prompt_type, task_description, provider, endpoint, request_model, response_model, service_tier,
    user_name, key_id, metadata, stream, status_code, success, error_type, error_message, input_tokens,
    cached_input_tokens, output_tokens, reasoning_tokens, usage_details, usage_source, cost, cost_reason, duration_ms,
    time_to_first_byte_ms, upstream_request_id, request_bytes, response_bytes, prompt, response, prompt_config_id
  )
  SELECT
    new.id, new.created_at, new.prompt_type, new.task_description, new.provider, new.endpoint, new.request_model,
    new.response_model, new.service_tier, new.user_name, new.key_id, new.metadata, new.stream, new.status_code,
    new.success, new.error_type, new.error_message, new.input_tokens, new.cached_input_tokens, new.output_tokens,
    new.reasoning_tokens, new.usage_details, new.usage_source, new.cost, new.cost_reason, new.duration_ms, new.time_to_first_byte_ms,
    new.upstream_request_id, new.request_bytes, new.response_bytes, payloads[new.prompt], payloads[new.response],
    config_ids[new.type_place]
  FROM unnest(logs) AS new;

  INSERT INTO prompt_stats AS old (
    prompt_type, total_calls, failed_calls, blocked_calls, unpriced_calls, total_input_tokens, total_output_tokens,
    total_cost, last_call_id, last_called_at, last_prompt, last_response, last_model, last_input_tokens, last_output_tokens,
    last_cost, last_user, last_metadata, last_duration_ms, last_status_code, last_success, last_error
  )
  SELECT
    new.prompt_type, new.total_calls, new.failed_calls, new.blocked_calls, new.unpriced_calls, new.total_input_tokens,
    new.total_output_tokens, new.total_cost, new.last_call_id, new.last_called_at, payloads[new.last_prompt],
    payloads[new.last_response], new.last_model, new.last_input_tokens, new.last_output_tokens, new.last_cost,
    new.last_user, new.last_metadata, new.last_duration_ms, new.last_status_code, new.last_success, new.last_error
  FROM unnest(types) AS new
  ON CONFLICT (prompt_type) DO UPDATE SET
    total_calls = old.total_calls + excluded.total_calls,
    failed_calls = old.failed_calls + excluded.failed_calls,
    blocked_calls = old.blocked_calls + excluded.blocked_calls,
    unpriced_calls = old.unpriced_calls + excluded.unpriced_calls,
    total_input_tokens = old.total_input_tokens + excluded.total_input_tokens,
    total_output_tokens = old.total_output_tokens + excluded.total_output_tokens,
    total_cost = old.total_cost + excluded.total_cost,
    last_call_id = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_call_id ELSE excluded.last_call_id END,
    last_called_at = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_called_at ELSE excluded.last_called_at END,
    last_prompt = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_prompt ELSE excluded.last_prompt END,
    last_response = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_response ELSE excluded.last_response END,
    last_model = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_model ELSE excluded.last_model END,
    last_input_tokens = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_input_tokens ELSE excluded.last_input_tokens END,
    last_output_tokens = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_output_tokens ELSE excluded.last_output_tokens END,
    last_cost = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_cost ELSE excluded.last_cost END,
    last_user = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_user ELSE excluded.last_user END,
    last_metadata = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_metadata ELSE excluded.last_metadata END,
    last_duration_ms = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_duration_ms ELSE excluded.last_duration_ms END,
    last_status_code = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_status_code ELSE excluded.last_status_code END,
    last_success = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_success ELSE excluded.last_success END,
    last_error = CASE WHEN excluded.last_call_id IS NULL OR (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_error ELSE excluded.last_error END;

  INSERT INTO usage_rollups AS old (
    hour, prompt_type, model, user_name, calls, failed_calls, blocked_calls, unpriced_calls, input_tokens,
    cached_input_tokens, output_tokens, reasoning_tokens, cost, duration_ms
  )
  SELECT
    new.hour, new.prompt_type, new.model, new.user_name, new.calls, new.failed_calls, new.blocked_calls,
    new.unpriced_calls, new.input_tokens, new.cached_input_tokens, new.output_tokens, new.reasoning_tokens, new.cost,
    new.duration_ms
  FROM unnest(rollups) AS new
  ON CONFLICT (hour, prompt_type, model, user_name) DO UPDATE SET
    calls = old.calls + excluded.calls,
    failed_calls = old.failed_calls + excluded.failed_calls,
    blocked_calls = old.blocked_calls + excluded.blocked_calls,
    unpriced_calls = old.unpriced_calls + excluded.unpriced_calls,
    input_tokens = old.input_tokens + excluded.input_tokens,
    cached_input_tokens = old.cached_input_tokens + excluded.cached_input_tokens,
    output_tokens = old.output_tokens + excluded.output_tokens,
    reasoning_tokens = old.reasoning_tokens + excluded.reasoning_tokens,
    cost = old.cost + excluded.cost,
    duration_ms = old.duration_ms + excluded.duration_ms;

  SELECT EXISTS (SELECT FROM budgets), settings.summarised_to INTO has_budgets, summarised_to FROM gateway_settings AS settings;
  -- Rollups come sorted by their hour.
  IF (rollups[1]).hour < summarised_to::timestamp AT TIME ZONE 'UTC' THEN
    INSERT INTO usage_summaries_stale (day)
    SELECT DISTINCT (new.hour AT TIME ZONE 'UTC')::date FROM unnest(rollups) AS new
    WHERE new.hour < summarised_to::timestamp AT TIME ZONE 'UTC' ORDER BY 1
    ON CONFLICT (day) DO UPDATE SET day = excluded.day;
  END IF;
  IF has_budgets THEN
    spent := write_batch_v2_charge(write_batch_v2_charges(rollups), (SELECT max(type.last_called_at) FROM unnest(types) AS type));
  END IF;

  IF config_is_new THEN
    UPDATE gateway_settings SET policy_version = policy_version + 1;
    PERFORM pg_notify('promptmeter_policy', policy_version::text) FROM gateway_settings;
  END IF;
  IF array_position(known_ids, NULL) IS NOT NULL OR spent IS NOT NULL THEN
    RETURN json_build_object('configIds', CASE WHEN array_position(known_ids, NULL) IS NOT NULL THEN config_ids END, 'spent', spent);
  END IF;
  RETURN NULL;
END
$$;
