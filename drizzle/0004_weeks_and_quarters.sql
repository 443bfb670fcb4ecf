-- Summaries have weeks and quarters, too, which come of summing up every day again. Nobody reads any until that is done.
UPDATE "gateway_settings" SET "summarised_to" = NULL;
