INSERT INTO buckets (name, region, created, settings) VALUES (?1, ?2, ?3, '{}') ON CONFLICT (name) DO NOTHING
