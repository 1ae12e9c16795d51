"""Prints as much as it was given, so that large requests and large logs meet."""


def preprocess_handler(inference_record):
    print(inference_record.endpoint_input.data)
    return [len(inference_record.endpoint_input.data)]
