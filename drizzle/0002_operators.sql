CREATE TABLE "alert_deliveries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"alert_id" uuid NOT NULL,
	"channel" text NOT NULL,
	"target" text NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"next_attempt_at" timestamp with time zone DEFAULT now() NOT NULL,
	"attempt_count" integer DEFAULT 0 NOT NULL,
	"attempts" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"delivered_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" uuid PRIMARY KEY NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"username" text NOT NULL,
	"action" text NOT NULL,
	"target" text NOT NULL,
	"before" text,
	"after" text
);
--> statement-breakpoint
CREATE TABLE "budget_alerts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"budget_id" uuid NOT NULL,
	"budget_name" text NOT NULL,
	"prompt_type" text,
	"period" text NOT NULL,
	"period_start" timestamp with time zone NOT NULL,
	"threshold" integer NOT NULL,
	"action" text NOT NULL,
	"limit_usd" numeric(30, 12) NOT NULL,
	"spent_usd" numeric(30, 12) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "budget_alerts_once" UNIQUE("budget_id","period_start","threshold")
);
--> statement-breakpoint
CREATE TABLE "budget_lifts" (
	"budget_id" uuid NOT NULL,
	"prompt_type" text NOT NULL,
	"period_start" timestamp with time zone NOT NULL,
	"lifted_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "budget_lifts_budget_id_prompt_type_period_start_pk" PRIMARY KEY("budget_id","prompt_type","period_start")
);
--> statement-breakpoint
CREATE TABLE "budget_periods" (
	"budget_id" uuid NOT NULL,
	"period_start" timestamp with time zone NOT NULL,
	"spent_usd" numeric(30, 12) DEFAULT '0' NOT NULL,
	"revision" integer DEFAULT 0 NOT NULL,
	"exceeded_at" timestamp with time zone,
	CONSTRAINT "budget_periods_budget_id_period_start_pk" PRIMARY KEY("budget_id","period_start")
);
--> statement-breakpoint
CREATE TABLE "budgets" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"prompt_type" text,
	"period" text NOT NULL,
	"limit_usd" numeric(30, 12) NOT NULL,
	"thresholds" integer[] NOT NULL,
	"action" text NOT NULL,
	"strict" boolean DEFAULT false NOT NULL,
	"webhook_url" text,
	"email" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "model_prices" (
	"model" text NOT NULL,
	"effective_from" timestamp with time zone NOT NULL,
	"input" numeric(18, 6) NOT NULL,
	"cached_input" numeric(18, 6),
	"output" numeric(18, 6) NOT NULL,
	"audio_input" numeric(18, 6),
	"audio_output" numeric(18, 6),
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "model_prices_model_effective_from_pk" PRIMARY KEY("model","effective_from")
);
--> statement-breakpoint
CREATE TABLE "usage_summaries_stale" (
	"day" date PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage_summaries" (
	"grain" text NOT NULL,
	"dimension" text NOT NULL,
	"bucket" date NOT NULL,
	"key" text NOT NULL,
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
	CONSTRAINT "usage_summaries_grain_dimension_bucket_key_pk" PRIMARY KEY("grain","dimension","bucket","key")
);
--> statement-breakpoint
ALTER TABLE "gateway_settings" ADD COLUMN "summarised_to" date;--> statement-breakpoint
ALTER TABLE "usage_logs" ADD COLUMN "usage_details" text;--> statement-breakpoint
ALTER TABLE "alert_deliveries" ADD CONSTRAINT "alert_deliveries_alert_id_budget_alerts_id_fk" FOREIGN KEY ("alert_id") REFERENCES "public"."budget_alerts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "budget_lifts" ADD CONSTRAINT "budget_lifts_budget_id_budgets_id_fk" FOREIGN KEY ("budget_id") REFERENCES "public"."budgets"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "budget_periods" ADD CONSTRAINT "budget_periods_budget_id_budgets_id_fk" FOREIGN KEY ("budget_id") REFERENCES "public"."budgets"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "alert_deliveries_alert_id" ON "alert_deliveries" USING btree ("alert_id");--> statement-breakpoint
CREATE INDEX "alert_deliveries_pending" ON "alert_deliveries" USING btree ("next_attempt_at") WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX "audit_log_created_at" ON "audit_log" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "budget_alerts_created_at" ON "budget_alerts" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "usage_summaries_key" ON "usage_summaries" USING btree ("dimension","key","grain","bucket");--> statement-breakpoint
CREATE INDEX "usage_logs_upstream_request_id" ON "usage_logs" USING btree ("upstream_request_id");--> statement-breakpoint
CREATE INDEX "usage_logs_failed" ON "usage_logs" USING btree ("created_at","id") WHERE not success;--> statement-breakpoint
CREATE INDEX "usage_logs_unpriced" ON "usage_logs" USING btree ("created_at","id") WHERE cost is null and cost_reason <> 'not_metered';--> statement-breakpoint
CREATE INDEX "usage_logs_payloads" ON "usage_logs" USING btree ("created_at","id") WHERE prompt is not null or response is not null;--> statement-breakpoint
CREATE INDEX "usage_rollups_prompt_type" ON "usage_rollups" USING btree ("prompt_type","hour");