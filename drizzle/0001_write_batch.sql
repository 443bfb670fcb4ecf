CREATE TYPE "write_batch_v1_type" AS (
	"prompt_type" text,
	"description" text,
	"track_full_data" boolean,
	"is_active" boolean,
	"total_calls" bigint,
	"failed_calls" bigint,
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
CREATE TYPE "write_batch_v1_rollup" AS (
	"hour" timestamp with time zone,
	"prompt_type" text,
	"model" text,
	"user_name" text,
	"calls" bigint,
	"failed_calls" bigint,
	"unpriced_calls" bigint,
	"input_tokens" bigint,
	"cached_input_tokens" bigint,
	"output_tokens" bigint,
	"reasoning_tokens" bigint,
	"cost" numeric(30, 12),
	"duration_ms" bigint
);
--> statement-breakpoint
CREATE TYPE "write_batch_v1_log" AS (
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
-- A batch of records is written by one call of write_batch_v1 (docs/decisions/0008-how-a-batch-is-written.md).
--
-- A build that brings other values makes a write_batch_v2 beside it and leaves this one to the instances that still run
-- the last build. Its rows have types of their own, so that a column added to a table does not change them. Prompts and
-- responses are places in `texts`, which are joined by the batch's id.
--
--   recorded_batches ─▶ configs ─▶ usage_logs ─▶ prompt_stats ─▶ usage_rollups ─▶ gateway_settings
--
-- * recorded_batches: the batch's id is new, or nothing else is done. That makes a replay a no-op.
-- * configs: `known_ids` are the instance's memory of them. Where one is null, all are looked up, and those that are
--   missing made; made by another instance meanwhile, the no-op update waits for it. The ids are then the answer.
-- * usage_logs: its foreign key locks the configs against deletion, and fails where `known_ids` is out of date: the
--   instance then asks again, without. A type that is not logged has its config checked by prompt_stats' foreign key.
-- * gateway_settings: only where a config was made is the policy's version raised, and every instance told.
--
-- The arrow is the order in which rows are locked, and within a table they come sorted by their key. An operator's change
-- goes the same way (config, statistics, settings): nobody deadlocks.
--
-- Plans are generic: planned again for an array of each length, a lookup would cost more than all else that is done.
CREATE FUNCTION "write_batch_v1" (
  batch_id uuid, known_ids bigint[],
  types "write_batch_v1_type"[], rollups "write_batch_v1_rollup"[], logs "write_batch_v1_log"[], texts text
) RETURNS bigint[] LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  config_ids bigint[] := known_ids;
  payloads text[] := string_to_array(texts, batch_id::text);
  config_is_new boolean := false;
BEGIN
  INSERT INTO recorded_batches (id) VALUES (batch_id) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN NULL; END IF;

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
    cached_input_tokens, output_tokens, reasoning_tokens, usage_source, cost, cost_reason, duration_ms,
    time_to_first_byte_ms, upstream_request_id, request_bytes, response_bytes, prompt, response, prompt_config_id
  )
  SELECT
    new.id, new.created_at, new.prompt_type, new.task_description, new.provider, new.endpoint, new.request_model,
    new.response_model, new.service_tier, new.user_name, new.key_id, new.metadata, new.stream, new.status_code,
    new.success, new.error_type, new.error_message, new.input_tokens, new.cached_input_tokens, new.output_tokens,
    new.reasoning_tokens, new.usage_source, new.cost, new.cost_reason, new.duration_ms, new.time_to_first_byte_ms,
    new.upstream_request_id, new.request_bytes, new.response_bytes, payloads[new.prompt], payloads[new.response],
    config_ids[new.type_place]
  FROM unnest(logs) AS new;

  INSERT INTO prompt_stats AS old (
    prompt_type, total_calls, failed_calls, unpriced_calls, total_input_tokens, total_output_tokens, total_cost,
    last_call_id, last_called_at, last_prompt, last_response, last_model, last_input_tokens, last_output_tokens,
    last_cost, last_user, last_metadata, last_duration_ms, last_status_code, last_success, last_error
  )
  SELECT
    new.prompt_type, new.total_calls, new.failed_calls, new.unpriced_calls, new.total_input_tokens,
    new.total_output_tokens, new.total_cost, new.last_call_id, new.last_called_at, payloads[new.last_prompt],
    payloads[new.last_response], new.last_model, new.last_input_tokens, new.last_output_tokens, new.last_cost,
    new.last_user, new.last_metadata, new.last_duration_ms, new.last_status_code, new.last_success, new.last_error
  FROM unnest(types) AS new
  ON CONFLICT (prompt_type) DO UPDATE SET
    total_calls = old.total_calls + excluded.total_calls,
    failed_calls = old.failed_calls + excluded.failed_calls,
    unpriced_calls = old.unpriced_calls + excluded.unpriced_calls,
    total_input_tokens = old.total_input_tokens + excluded.total_input_tokens,
    total_output_tokens = old.total_output_tokens + excluded.total_output_tokens,
    total_cost = old.total_cost + excluded.total_cost,
    last_call_id = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_call_id ELSE excluded.last_call_id END,
    last_called_at = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_called_at ELSE excluded.last_called_at END,
    last_prompt = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_prompt ELSE excluded.last_prompt END,
    last_response = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_response ELSE excluded.last_response END,
    last_model = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_model ELSE excluded.last_model END,
    last_input_tokens = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_input_tokens ELSE excluded.last_input_tokens END,
    last_output_tokens = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_output_tokens ELSE excluded.last_output_tokens END,
    last_cost = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_cost ELSE excluded.last_cost END,
    last_user = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_user ELSE excluded.last_user END,
    last_metadata = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_metadata ELSE excluded.last_metadata END,
    last_duration_ms = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_duration_ms ELSE excluded.last_duration_ms END,
    last_status_code = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_status_code ELSE excluded.last_status_code END,
    last_success = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_success ELSE excluded.last_success END,
    last_error = CASE WHEN (excluded.last_called_at, excluded.last_call_id) < (old.last_called_at, old.last_call_id) THEN old.last_error ELSE excluded.last_error END;

  INSERT INTO usage_rollups AS old (
    hour, prompt_type, model, user_name, calls, failed_calls, unpriced_calls, input_tokens, cached_input_tokens,
    output_tokens, reasoning_tokens, cost, duration_ms, blocked_calls
  )
  SELECT
    new.hour, new.prompt_type, new.model, new.user_name, new.calls, new.failed_calls, new.unpriced_calls,
    new.input_tokens, new.cached_input_tokens, new.output_tokens, new.reasoning_tokens, new.cost, new.duration_ms, 0
  FROM unnest(rollups) AS new
  ON CONFLICT (hour, prompt_type, model, user_name) DO UPDATE SET
    calls = old.calls + excluded.calls,
    failed_calls = old.failed_calls + excluded.failed_calls,
    unpriced_calls = old.unpriced_calls + excluded.unpriced_calls,
    input_tokens = old.input_tokens + excluded.input_tokens,
    cached_input_tokens = old.cached_input_tokens + excluded.cached_input_tokens,
    output_tokens = old.output_tokens + excluded.output_tokens,
    reasoning_tokens = old.reasoning_tokens + excluded.reasoning_tokens,
    cost = old.cost + excluded.cost,
    duration_ms = old.duration_ms + excluded.duration_ms;

  IF config_is_new THEN
    UPDATE gateway_settings SET policy_version = policy_version + 1;
    PERFORM pg_notify('promptmeter_policy', policy_version::text) FROM gateway_settings;
  END IF;
  RETURN CASE WHEN array_position(known_ids, NULL) IS NOT NULL THEN config_ids END;
END
$$;
--> statement-breakpoint
-- Statistics store a prompt and a response at every batch. PostgreSQL can be built without lz4, and PGlite is.
DO $$
BEGIN
  ALTER TABLE prompt_stats ALTER COLUMN last_prompt SET COMPRESSION lz4, ALTER COLUMN last_response SET COMPRESSION lz4;
  ALTER TABLE usage_logs ALTER COLUMN prompt SET COMPRESSION lz4, ALTER COLUMN response SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
  NULL;
END
$$;
