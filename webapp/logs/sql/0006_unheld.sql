-- How many batches of the difference the broker takes for spilled, while no worker's volume holds them.
ALTER TABLE log_imbalance ADD COLUMN unheld bigint NOT NULL DEFAULT 0;
