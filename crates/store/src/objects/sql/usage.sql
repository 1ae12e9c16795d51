SELECT bytes FROM object_usage
