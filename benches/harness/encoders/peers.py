"""The peers: onnxruntime and sentence-transformers. Each is a function without arguments that returns vectors as rows."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

MAX_TOKENS = 256
TEXTS = 32


def session(path: Path, threads: int):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def onnx_texts(path: Path, folder: Path, texts: list[str], threads: int):
    """Tokenized, sorted by length, batches of 32 padded to their longest; mean of the tokens."""
    run = session(path, threads)
    wide = {i.name: np.int32 if "int32" in i.type else np.int64 for i in run.get_inputs()}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)

    def encode() -> np.ndarray:
        ids = [tokens.ids for tokens in tokenizer.encode_batch(texts)]
        order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
        vectors = None
        for start in range(0, len(order), TEXTS):
            batch = order[start : start + TEXTS]
            longest = len(ids[batch[0]])
            tokens = np.zeros((len(batch), longest), np.int64)
            mask = np.zeros_like(tokens)
            for row, i in enumerate(batch):
                tokens[row, : len(ids[i])] = ids[i]
                mask[row, : len(ids[i])] = 1
            feed = {"input_ids": tokens, "attention_mask": mask}
            hidden = run.run(None, {name: value.astype(wide[name]) for name, value in feed.items()})[0]
            if vectors is None:
                vectors = np.empty((len(ids), hidden.shape[2]), np.float32)
            vectors[batch] = (hidden * mask[:, :, None]).sum(1)
        return unit(vectors)

    return encode


def torch_texts(folder: Path, texts: list[str], threads: int):
    """sentence-transformers with its defaults."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(folder), device="cpu")
    return lambda: model.encode(texts, batch_size=TEXTS, normalize_embeddings=True, show_progress_bar=False)


def pixels(image: bytes, config: dict) -> np.ndarray:
    """Decoded, scaled, cropped and normalized as torchvision does: `[3, side, side]`."""
    image = Image.open(io.BytesIO(image)).convert("RGB")
    side, size = config["image_size"], config["resize"]
    short = min(image.size)
    width, height = (size * s // short for s in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - side) / 2), round((height - side) / 2)
    values = np.asarray(image.crop((left, top, left + side, top + side)), np.float32)
    values = (values / 255 - np.float32(config["mean"])) / np.float32(config["std"])
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def onnx_images(path: Path, config: dict, images: list[bytes], threads: int):
    """Two ways to use the threads: image by image on each, and batches of 16 on all with the next one decoded meanwhile."""
    one, all_threads = session(path, 1), session(path, threads)

    def each() -> np.ndarray:
        def work(image):
            return one.run(None, {"pixels": pixels(image, config)[None]})[0][0]

        with ThreadPoolExecutor(threads) as pool:
            return unit(np.array(list(pool.map(work, images))))

    def batches() -> np.ndarray:
        vectors = []
        with ThreadPoolExecutor(threads) as pool:
            ready = pool.map(lambda image: pixels(image, config), images)
            for start in range(0, len(images), 16):
                batch = np.stack([next(ready) for _ in images[start : start + 16]])
                vectors.append(all_threads.run(None, {"pixels": batch})[0])
        return unit(np.concatenate(vectors))

    return {"image by image": each, "batches": batches}
