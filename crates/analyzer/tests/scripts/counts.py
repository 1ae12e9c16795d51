import helper_beside

calls = 0


def preprocess_handler(inference_record, *more):
    global calls
    calls += 1
    return [calls, inference_record.endpoint_input.data, helper_beside.NAME]
