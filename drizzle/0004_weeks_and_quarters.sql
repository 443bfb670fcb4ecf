-- Summaries have weeks, quarters and hours by user, too, which come of summing up every day again. Nobody reads any until that is done.
UPDATE "gateway_settings" SET "summarised_to" = NULL;
--> statement-breakpoint
-- A few days by user are not as many as days are and users are: without this Postgres takes them for a fifth of the table, and reads all of it.
CREATE STATISTICS "usage_summaries_grain_dimension" (mcv) ON "grain", "dimension" FROM "usage_summaries";
