-- None where nothing was changed.
SELECT txid_current_if_assigned()
