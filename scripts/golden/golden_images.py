"""Writes small randomly initialized image networks to indexer/tests/golden/folders, with the vectors timm gives them.

No registry package ships timm's weights, so the loaders are tested on these. How they were made: as in golden.py, with timm and
torchvision installed too, then
    /tmp/goldenv/bin/python scripts/golden/golden_images.py indexer/tests/golden
"""

import json
import pathlib
import shutil
import sys

import timm
import torch
from PIL import Image
from timm.data import create_transform
from timm.layers import BatchNormAct2d
from timm.models.convnext import ConvNeXt
from timm.models.efficientnet import _gen_efficientnet, _gen_efficientnet_lite, _gen_efficientnetv2_base
from timm.models.mobilenetv3 import _gen_mobilenet_v4
from timm.models.resnet import BasicBlock, Bottleneck, ResNet

from golden_folder import randomize, rounded, save_golden, save_weights

PICTURES = ("ball.png", "tall.png", "wide.png")
CLASSES = 10
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make(golden, name, architecture, model, side=64, crop_pct=0.875, interpolation="bicubic", crop_mode="center", mean=MEAN, std=STD):
    folder = golden / "folders" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    randomize(model, sum(name.encode()))
    settings = {"input_size": [3, side, side], "interpolation": interpolation, "crop_pct": crop_pct, "crop_mode": crop_mode,
                "mean": list(mean), "std": list(std), "num_classes": CLASSES}
    transform = create_transform(**{k: v for k, v in settings.items() if k != "num_classes"})
    with torch.no_grad():
        # With one spread for all weights, signals would explode or vanish: each is scaled to the size of its input.
        for tensor in model.parameters():
            if tensor.dim() > 1:
                fan = tensor[0].numel()
                tensor.normal_(0, (2 / fan) ** 0.5).copy_(tensor.half().float())
        # Half-closed gates would block the signal after a few blocks.
        for part, tensor in model.named_parameters():
            if part.endswith("se.conv_expand.bias"):
                tensor.normal_(2, 0.5).copy_(tensor.half().float())
        items = []
        for picture in PICTURES:
            pixels = transform(Image.open(golden / picture).convert("RGB")).unsqueeze(0)
            maps = model.forward_features(pixels)
            features = model.forward_head(maps, pre_logits=True)
            logits = model(pixels)
            items.append({"file": picture, "vector": rounded(features[0]), "logits": rounded(logits[0])})
    vectors = torch.nn.functional.normalize(torch.tensor([item["vector"] for item in items]))
    alike = float((vectors @ vectors.T - 2 * torch.eye(len(items))).max())
    assert alike < 0.9995, f"{name}: images are not distinguished ({alike})"
    config = {"architecture": architecture, "num_classes": CLASSES, "num_features": model.num_features, "pretrained_cfg": settings}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_weights(model.state_dict(), folder / "model.safetensors")
    save_golden(folder, items, "timm", "torchvision", "pillow")


def narrow(model, norm, act_layer, eps=1e-5):
    """Some have 1280 features regardless of their width, which would make the file needlessly large."""
    width = 64
    model.conv_head = torch.nn.Conv2d(model.conv_head.in_channels, width, 1, bias=False)
    setattr(model, norm, BatchNormAct2d(width, eps=eps, act_layer=act_layer))
    model.classifier = torch.nn.Linear(width, CLASSES)
    model.num_features = width
    return model


def main(golden):
    classes = {"num_classes": CLASSES}
    make(golden, "resnet", "resnet18", ResNet(BasicBlock, (1, 1, 2, 1), channels=(8, 16, 24, 32), **classes), interpolation="bilinear")
    make(golden, "resnext-d", "resnext26d_32x4d", ResNet(
        Bottleneck, (1, 1, 1, 1), channels=(8, 8, 16, 16), cardinality=2, base_width=32, stem_width=4, stem_type="deep", avg_down=True, **classes),
        side=65, crop_pct=0.95)
    size = {"depths": (1, 1, 2, 1), "dims": (8, 16, 24, 40), **classes}
    make(golden, "convnext", "convnext_tiny", ConvNeXt(**size, ls_init_value=0.5), crop_pct=1.0)
    make(golden, "convnextv2", "convnextv2_atto", ConvNeXt(**size, ls_init_value=None, use_grn=True, conv_mlp=True), crop_mode="squash", crop_pct=0.9)
    small = {"channel_multiplier": 0.1, "depth_multiplier": 0.4, **classes}
    make(golden, "efficientnet", "efficientnet_b0", _gen_efficientnet("efficientnet_b0", **small))
    make(golden, "efficientnet-lite", "tf_efficientnet_lite0", narrow(_gen_efficientnet_lite("tf_efficientnet_lite0", pad_type="same", bn_eps=1e-3, **small), "bn2", torch.nn.ReLU6, 1e-3),
         side=70, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    make(golden, "efficientnetv2", "tf_efficientnetv2_b0", _gen_efficientnetv2_base("tf_efficientnetv2_b0", pad_type="same", bn_eps=1e-3, **small))
    def mobilenet(size):
        model = _gen_mobilenet_v4(f"mobilenetv4_conv_{size}", channel_multiplier=0.1, **classes)
        return narrow(model, "norm_head", torch.nn.ReLU)

    make(golden, "mobilenetv4-small", "mobilenetv4_conv_small", mobilenet("small"), crop_pct=0.95)
    make(golden, "mobilenetv4-medium", "mobilenetv4_conv_medium", mobilenet("medium"))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
