-- Material of KMS keys, wrapped by the master key; it goes with the key's document.

CREATE TABLE key_material (
    key TEXT NOT NULL PRIMARY KEY,
    material BLOB NOT NULL
) STRICT;

CREATE TRIGGER encryption_key_deleted AFTER DELETE ON encryption_keys BEGIN
    DELETE FROM key_material WHERE key = OLD.key;
END;
