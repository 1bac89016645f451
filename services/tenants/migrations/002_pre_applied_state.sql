-- Whether the database role has followed the last change of `state`: what a crash leaves behind
-- between the two is found and applied by a timer.
ALTER TABLE tenant ADD COLUMN is_applied boolean NOT NULL DEFAULT false;
