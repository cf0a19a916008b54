"""Reads W&B's own offline files."""

from wandb.proto import wandb_internal_pb2


def wandb_records(file):
    """Read an offline run: a LevelDB log, blocks of 32 KiB of records with checksum, length and type."""
    data, place, whole = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def config_and_history(file):
    """Values by key, as JSON texts: what was configured and what was logged."""
    logged, config = {}, {}
    for record in wandb_records(file):
        for item in record.history.item:
            logged["/".join(item.nested_key) or item.key] = item.value_json
        for item in [*record.config.update, *record.run.config.update]:
            config["/".join(item.nested_key) or item.key] = item.value_json
    return config, logged
