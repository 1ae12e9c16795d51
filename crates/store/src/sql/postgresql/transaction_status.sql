SELECT txid_status($1)
