"""A record preprocessor as the developer guide has it: it sees every captured record, and may change it."""

seen = 0


def preprocess_handler(inference_record, logger):
    global seen
    seen += 1
    if seen == 1:
        logger.info("preprocess_handler saw %s", inference_record.endpoint_output.data)
    return inference_record
