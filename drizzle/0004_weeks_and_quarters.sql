-- Summaries have weeks, quarters and hours by user, too, which come of summing up every day again. Nobody reads any until that is done.
UPDATE "gateway_settings" SET "summarised_to" = NULL;
