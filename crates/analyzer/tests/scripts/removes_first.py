def preprocess_handler(record):
    record.endpoint_output = None
    return record
