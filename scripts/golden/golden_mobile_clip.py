"""Writes a small randomly initialized MobileCLIP to indexer/tests/golden/folders, with the vectors open_clip gives it.

No registry package ships its weights, so the loader is tested on these. How they were made: as in golden_joint.py, with open_clip_torch, timm
and torchvision installed too, then
    /tmp/goldenv/bin/python scripts/golden/golden_mobile_clip.py indexer/tests/golden
"""

import json
import pathlib
import shutil
import sys
from functools import partial

import torch
from open_clip.model import CustomTextCLIP
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from timm.models.fastvit import FastVit, RepConditionalPosEnc
from tokenizers import Tokenizer

from golden_folder import randomize, rounded, save_golden, save_weights
from golden_joint import PICTURES, unit

DIM, SIDE, TOKENS = 24, 64, 20


def trunk():
    """As timm's fastvit_mci1, with fewer and narrower layers."""
    return FastVit(
        layers=(1, 2, 1, 2), embed_dims=(8, 16, 32, 64), mlp_ratios=(3, 3, 3, 3), num_classes=DIM, lkc_use_act=True,
        se_downsamples=(False, False, True, True), pos_embs=(None, None, None, partial(RepConditionalPosEnc, spatial_shape=(7, 7))),
        token_mixers=("repmixer", "repmixer", "repmixer", "attention"))


def main(golden):
    folder = golden / "folders" / "mobile-clip"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(golden / "folders" / "clip" / "tokenizer.json", folder)
    tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens.enable_truncation(TOKENS)
    known = json.loads((golden / "folders" / "clip" / "golden.json").read_text())["items"]
    texts = [item["text"] for item in known if "text" in item]
    # As in open_clip's own configurations.
    config = {
        "embed_dim": DIM,
        "vision_cfg": {"timm_model_name": "fastvit_mci1", "timm_model_pretrained": False, "timm_pool": "avg", "timm_proj": None,
                       "timm_drop": 0.0, "timm_drop_path": 0.0, "image_size": SIDE},
        "text_cfg": {"context_length": TOKENS, "vocab_size": tokens.get_vocab_size(), "width": 32, "heads": 4, "layers": 2,
                     "no_causal_mask": True},
    }
    preprocess = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0], "interpolation": "bilinear", "resize_mode": "shortest"}
    model = CustomTextCLIP(**config)
    model.visual.trunk = trunk()
    randomize(model, 5)
    see = image_transform_v2(PreprocessCfg(size=SIDE, **preprocess), is_train=False)
    items = []
    with torch.no_grad():
        for text in texts:
            ids = tokens.encode(text.strip()).ids
            ids = torch.tensor([ids + [0] * (TOKENS - len(ids))])
            items.append({"text": text, "vector": unit(model.encode_text(ids))})
        for picture in PICTURES:
            pixels = see(Image.open(golden / picture).convert("RGB"))
            items.append({"file": picture, "vector": unit(model.encode_image(pixels[None]))})
    save_weights(model.state_dict(), folder / "open_clip_model.safetensors")
    config["custom_text"] = True
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}, indent=2)
    (folder / "open_clip_config.json").write_text(text + "\n")
    save_golden(folder, items, "open_clip_torch", "timm", "tokenizers", "pillow")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
