def preprocess_handler():
    return []
