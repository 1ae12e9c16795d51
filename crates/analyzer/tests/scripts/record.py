"""Tells what the handler sees of a record."""


def preprocess_handler(record):
    metadata, given = record.event_metadata, record.endpoint_input
    old = record.event_data
    return {
        "input": given.data,
        "encoding": given.encoding,
        "type": given.observedContentType,
        "mode": given.mode,
        "as_dict": str(given.as_dict()),
        "output": str(record.endpoint_output),
        "batch": str(record.batch_transform_output),
        "truth": None if record.ground_truth is None else record.ground_truth.data,
        "event": None if metadata is None else metadata.event_id,
        "time": None if metadata is None else metadata.event_time,
        "attribute": None if metadata is None or not metadata.custom_attribute else metadata.custom_attribute[0],
        "inference": None if metadata is None else metadata.inference_id,
        "version": record.event_version,
        "raw": record.event_dict["captureData"]["endpointInput"]["mode"],
        "old": old.endpoint_input.data + old.endpointInput.data,
        "same": record.as_dict() == record.event_dict and str(record) == str(record.as_dict()),
        "record": str(record),
    }
