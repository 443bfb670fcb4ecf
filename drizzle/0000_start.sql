CREATE TABLE "gateway_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"user_name" text,
	"key_sha256" text NOT NULL,
	"allowed_prompt_types" text[],
	"expires_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "gateway_keys_key_sha256_unique" UNIQUE("key_sha256")
);
--> statement-breakpoint
CREATE TABLE "gateway_settings" (
	"id" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"default_track_full_data" boolean DEFAULT false NOT NULL,
	"default_is_active" boolean DEFAULT true NOT NULL,
	"policy_version" bigint DEFAULT 1 NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "gateway_settings_one_row" CHECK ("gateway_settings"."id")
);
--> statement-breakpoint
CREATE TABLE "prompt_configs" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "prompt_configs_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"prompt_type" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"track_full_data" boolean DEFAULT false NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "prompt_configs_prompt_type_unique" UNIQUE("prompt_type")
);
--> statement-breakpoint
CREATE TABLE "prompt_stats" (
	"prompt_type" text PRIMARY KEY NOT NULL,
	"total_calls" bigint DEFAULT 0 NOT NULL,
	"failed_calls" bigint DEFAULT 0 NOT NULL,
	"blocked_calls" bigint DEFAULT 0 NOT NULL,
	"unpriced_calls" bigint DEFAULT 0 NOT NULL,
	"total_input_tokens" bigint DEFAULT 0 NOT NULL,
	"total_output_tokens" bigint DEFAULT 0 NOT NULL,
	"total_cost" numeric(30, 12) DEFAULT '0' NOT NULL,
	"last_call_id" uuid,
	"last_called_at" timestamp with time zone,
	"last_prompt" text,
	"last_response" text,
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
) WITH (fillfactor = 50);
--> statement-breakpoint
CREATE TABLE "recorded_batches" (
	"id" uuid PRIMARY KEY NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage_logs" (
	"id" uuid NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"prompt_type" text NOT NULL,
	"prompt_config_id" bigint,
	"task_description" text,
	"provider" text NOT NULL,
	"endpoint" text NOT NULL,
	"request_model" text,
	"response_model" text,
	"service_tier" text,
	"user_name" text,
	"key_id" uuid,
	"metadata" text,
	"stream" boolean NOT NULL,
	"status_code" integer NOT NULL,
	"success" boolean NOT NULL,
	"error_type" text,
	"error_message" text,
	"input_tokens" bigint,
	"cached_input_tokens" bigint,
	"output_tokens" bigint,
	"reasoning_tokens" bigint,
	"usage_source" text NOT NULL,
	"cost" numeric(30, 12),
	"cost_reason" text,
	"duration_ms" integer NOT NULL,
	"time_to_first_byte_ms" integer,
	"upstream_request_id" text,
	"request_bytes" bigint NOT NULL,
	"response_bytes" bigint NOT NULL,
	"prompt" text,
	"response" text,
	CONSTRAINT "usage_logs_id_created_at_pk" PRIMARY KEY("id","created_at")
) PARTITION BY RANGE ("created_at");
--> statement-breakpoint
CREATE TABLE "usage_rollups" (
	"hour" timestamp with time zone NOT NULL,
	"prompt_type" text NOT NULL,
	"model" text NOT NULL,
	"user_name" text NOT NULL,
	"calls" bigint NOT NULL,
	"failed_calls" bigint NOT NULL,
	"blocked_calls" bigint NOT NULL,
	"unpriced_calls" bigint NOT NULL,
	"input_tokens" bigint NOT NULL,
	"cached_input_tokens" bigint NOT NULL,
	"output_tokens" bigint NOT NULL,
	"reasoning_tokens" bigint NOT NULL,
	"cost" numeric(30, 12) NOT NULL,
	"duration_ms" bigint NOT NULL,
	CONSTRAINT "usage_rollups_hour_prompt_type_model_user_name_pk" PRIMARY KEY("hour","prompt_type","model","user_name")
) WITH (fillfactor = 80);
--> statement-breakpoint
ALTER TABLE "prompt_stats" ADD CONSTRAINT "prompt_stats_prompt_type_prompt_configs_prompt_type_fk" FOREIGN KEY ("prompt_type") REFERENCES "public"."prompt_configs"("prompt_type") ON DELETE cascade ON UPDATE cascade;--> statement-breakpoint
ALTER TABLE "usage_logs" ADD CONSTRAINT "usage_logs_prompt_config_id_prompt_configs_id_fk" FOREIGN KEY ("prompt_config_id") REFERENCES "public"."prompt_configs"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "usage_logs_created_at" ON "usage_logs" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "usage_logs_prompt_type" ON "usage_logs" USING btree ("prompt_type","created_at","id");--> statement-breakpoint
CREATE INDEX "usage_logs_prompt_config_id" ON "usage_logs" USING btree ("prompt_config_id");--> statement-breakpoint
INSERT INTO "gateway_settings" DEFAULT VALUES;
