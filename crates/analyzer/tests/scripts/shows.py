"""For the dry run: one kind of result after the other."""


def preprocess_handler(inference_record):
    values = inference_record.endpoint_input.data.split(",")
    print("first value", values[0])
    if values[0] == "row":
        return {"age": int(values[1]), "income": values[2], "note": None}
    if values[0] == "rows":
        return [{"a": 1.5}, {"a": True}]
    if values[0] == "list":
        return [1, "x"]
    if values[0] == "csv":
        return "1,2\n3,4"
    if values[0] == "change":
        inference_record.endpoint_input.data = "changed"
        return inference_record
    if values[0] == "same":
        return inference_record
    if values[0] == "skip":
        return []
    raise ValueError("unknown kind %r" % values[0])
