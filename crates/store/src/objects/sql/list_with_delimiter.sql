-- Each step looks for the next key behind the entry before: behind the key itself, or behind all keys that have its
-- common prefix (no key has a byte 255). So a page costs as many look-ups as it has entries.
-- ?1 bucket, ?2 first key, ?3 end of keys, ?4 most entries, ?5 bytes of the prefix, ?6 delimiter.
WITH RECURSIVE
page (key) AS (
    SELECT (SELECT key FROM objects WHERE bucket = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT 1)
    UNION ALL
    SELECT (
        SELECT object.key
        FROM objects AS object
        WHERE
            object.bucket = ?1
            AND object.key < ?3
            AND object.key > CASE instr(substr(page.key, ?5 + 1), ?6)
                WHEN 0 THEN page.key
                ELSE CAST(
                    substr(page.key, 1, ?5 + instr(substr(page.key, ?5 + 1), ?6) - 1 + length(?6)) || x'ff' AS BLOB
                )
            END
        ORDER BY object.key
        LIMIT 1
    )
    FROM page
    WHERE page.key IS NOT NULL
    LIMIT ?4
),

entry (key, common_prefix) AS (
    SELECT
        key,
        CASE instr(substr(key, ?5 + 1), ?6)
            WHEN 0 THEN NULL
            ELSE substr(key, 1, ?5 + instr(substr(key, ?5 + 1), ?6) - 1 + length(?6))
        END
    FROM page
    WHERE key IS NOT NULL
)

SELECT entry.key, entry.common_prefix, object.size, object.etag, object.modified, object.attributes
FROM entry
LEFT JOIN objects AS object ON object.bucket = ?1 AND object.key = entry.key AND entry.common_prefix IS NULL
ORDER BY entry.key
