SELECT key, number, material FROM key_materials
