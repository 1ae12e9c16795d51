SELECT blob, size, data_key IS NOT NULL FROM pieces
UNION ALL
SELECT blob, size, data_key IS NOT NULL FROM parts
