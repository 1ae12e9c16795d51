def preprocess_handler(inference_record):
    return {
