"""Returns the record, changed as the payload asks."""


def preprocess_handler(record):
    change = record.endpoint_input.data
    if change == "same":
        return record
    if change == "dictionary":
        return record.as_dict()
    if change == "data":
        str(record)
        record.endpoint_input.data = "new"
        return record
    if change == "raw":
        record.event_dict["captureData"]["endpointInput"]["data"] = "new"
        return record
    if change == "remove":
        record.endpoint_output = None
        return record
    if change == "copy":
        return {"captureData": {"endpointInput": {"data": "copied", "encoding": "CSV"}}}
    if change == "parsed":
        record.endpoint_input.data = {"a": 1}
        return record
