-- `steady` holds a mark of what was read instead of all of it: the rows that every poll writes are shorter.
-- What is there is from before; the next reading of each line is written in full.
UPDATE watches SET steady = NULL;
