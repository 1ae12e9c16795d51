SELECT blob FROM pieces
UNION ALL
SELECT blob FROM parts
