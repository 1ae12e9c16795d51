def postprocess_handler():
    raise RuntimeError("no bucket")
