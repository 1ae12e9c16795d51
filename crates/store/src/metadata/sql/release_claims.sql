UPDATE {table}
SET version = version + 1, claimed_by = '', claimed_until = 0
WHERE due IS NOT NULL AND claimed_by <> ''
