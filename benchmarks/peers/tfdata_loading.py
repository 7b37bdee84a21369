"""The same work done by tf.data, in several ways: frame records -> (B, T, 1152) uint8, labels, ids.

    python tfdata_loading.py FOLDER BATCH_SIZE REPEATS

needs TensorFlow and nothing of reeltag. Prints one JSON object: version, and videos/s of each
pipeline and repeat. All read in the order of the files; where the order of arrival may change
(`deterministic`), it may.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

WIDTHS = {"rgb": 1024, "audio": 128}
CONTEXT = {"id": tf.io.FixedLenFeature([], tf.string), "labels": tf.io.VarLenFeature(tf.int64)}
LISTS = {name: tf.io.FixedLenSequenceFeature([], tf.string) for name in WIDTHS}
AUTOTUNE = tf.data.AUTOTUNE


def shards(folder: Path, readers: int) -> Any:  # noqa: ANN401
    """Serialized records of all shards, `readers` at a time."""
    names = tf.data.Dataset.from_tensor_slices(sorted(map(str, folder.glob("*.tfrecord"))))
    return names.interleave(
        lambda name: tf.data.TFRecordDataset(name, buffer_size=8 << 20),
        cycle_length=readers,
        block_length=16,
        num_parallel_calls=AUTOTUNE,
        deterministic=False,
    )


def decode_each(serialized: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
    """Decode a record frame by frame, as the published readers do."""
    context, lists = tf.io.parse_single_sequence_example(serialized, CONTEXT, LISTS)
    streams = [
        tf.reshape(tf.io.decode_raw(lists[name], tf.uint8), [-1, width])
        for name, width in WIDTHS.items()
    ]
    return tf.concat(streams, axis=1), tf.sparse.to_dense(context["labels"]), context["id"]


def decode_joined(serialized: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
    """Join the frames of a record to one string before it is decoded."""
    context, lists = tf.io.parse_single_sequence_example(serialized, CONTEXT, LISTS)
    streams = [
        tf.reshape(tf.io.decode_raw(tf.strings.reduce_join(lists[name]), tf.uint8), [-1, width])
        for name, width in WIDTHS.items()
    ]
    return tf.concat(streams, axis=1), tf.sparse.to_dense(context["labels"]), context["id"]


def decode_fixed(serialized: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
    """Decode frames whose width is given beforehand."""
    context, lists = tf.io.parse_single_sequence_example(serialized, CONTEXT, LISTS)
    streams = [
        tf.io.decode_raw(lists[name], tf.uint8, fixed_length=width)
        for name, width in WIDTHS.items()
    ]
    frames = tf.ensure_shape(tf.concat(streams, axis=1), [None, sum(WIDTHS.values())])
    return frames, tf.sparse.to_dense(context["labels"]), context["id"]


def decode_batch(serialized: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
    """Parse a whole batch with one operation; shorter videos are padded by it."""
    context, lists, _ = tf.io.parse_sequence_example(serialized, CONTEXT, LISTS)
    streams = [
        tf.io.decode_raw(lists[name], tf.uint8, fixed_length=width)
        for name, width in WIDTHS.items()
    ]
    return tf.concat(streams, axis=2), tf.sparse.to_dense(context["labels"]), context["id"]


def a_record_at_a_time(decode: Callable[..., Any], readers: int) -> Callable[[Path, int], Any]:
    """Decode in parallel, then pad and batch."""

    def pipeline(folder: Path, batch_size: int) -> Any:  # noqa: ANN401
        records = shards(folder, readers).map(
            decode, num_parallel_calls=AUTOTUNE, deterministic=False
        )
        return records.padded_batch(batch_size).prefetch(AUTOTUNE)

    return pipeline


def a_batch_at_a_time(folder: Path, batch_size: int) -> Any:  # noqa: ANN401
    """Batch the serialized records, then decode batches in parallel."""
    batches = shards(folder, 2).batch(batch_size)
    return batches.map(decode_batch, num_parallel_calls=AUTOTUNE).prefetch(AUTOTUNE)


PIPELINES = {
    "frames of a record, padded_batch": a_record_at_a_time(decode_each, 2),
    "joined frames, padded_batch": a_record_at_a_time(decode_joined, 2),
    "fixed length, padded_batch": a_record_at_a_time(decode_fixed, 2),
    "fixed length, one reader": a_record_at_a_time(decode_fixed, 1),
    "a batch at a time": a_batch_at_a_time,
}


def main() -> None:
    folder, batch_size, repeats = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    rates: dict[str, list[float]] = {}
    for name, pipeline in PIPELINES.items():
        batches = pipeline(folder, batch_size)
        rates[name] = []
        for repeat in range(repeats + 1):
            began = time.perf_counter()
            count = sum(int(frames.shape[0]) for frames, _, _ in batches)
            if repeat:  # the first warms up
                rates[name].append(count / (time.perf_counter() - began))
    print(json.dumps({"version": tf.__version__, "rates": rates}))


if __name__ == "__main__":
    main()
