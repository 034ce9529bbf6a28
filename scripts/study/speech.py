"""Texts, word error rates and seconds a clip of `vitrine-indexer transcribe` and of faster-whisper with the same weights, in one run.

Clips: queries read by espeak-ng, and WAV files of a folder (texts only). faster-whisper gets the files of the packages that the preset is made of.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from faster_whisper import WhisperModel

BRANDS = [line.split() for line in Path(__file__).with_name("speech-brands.txt").read_text().splitlines()]
QUERIES = Path(__file__).with_name("speech-queries.txt").read_text().splitlines()
NUMBERS = {"six": "6", "ten": "10", "fifty": "50", "one hundred": "100", "dollars": ""}


def words(text):
    text = re.sub(r"[^a-z0-9' ]", " ", text.lower().replace("wi-fi", "wifi"))
    for name, digits in NUMBERS.items():
        text = re.sub(rf"\b{name}\b", digits, text)
    return text.split()


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def error_rate(said, heard):
    errors = sum(distance(words(a), words(b)) for a, b in zip(said, heard))
    total = sum(len(words(a)) for a in said)
    return f"{errors}/{total} = {errors / total:.3f}"


def read_aloud(texts, folder):
    for number, text in enumerate(texts, 1):
        voice = "en-gb" if number % 3 == 0 else "en-us"
        subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", folder / f"{number:02}.wav", text], check=True)
    return sorted(folder.glob("*.wav"))


def ours(binary, files, *flags):
    output = subprocess.run([f"{binary}/vitrine-indexer", "transcribe", *flags, *files], capture_output=True, text=True)
    if output.returncode not in (0, 3):
        sys.exit(output.stderr)
    return [json.loads(line) for line in output.stdout.splitlines()]


def peers(model, files):
    results = []
    for file in files:
        started = time.perf_counter()
        parts, _ = model.transcribe(str(file), beam_size=1, temperature=0, without_timestamps=True, condition_on_previous_text=False)
        text = " ".join(part.text.strip() for part in parts)
        results.append({"text": text, "took_s": time.perf_counter() - started})
    return results


def main():
    binary, weights, recordings = sys.argv[1:4]
    brands = sorted({brand for brand, *_ in BRANDS})
    with tempfile.TemporaryDirectory() as work:
        sets = {"queries": QUERIES, "brands": [" ".join(line) for line in BRANDS]}
        for name, said in sets.items():
            folder = Path(work) / name
            folder.mkdir()
            files = read_aloud(said, folder)
            rows = {
                "ours": ours(binary, files),
                "ours, short window": ours(binary, files, "--window", "short"),
                "ours, window of 30 s": ours(binary, files, "--window", "full"),
                "ours, hot words": ours(binary, files, "--hot-words", ",".join(brands)),
                "faster-whisper int8": peers(WhisperModel(weights, device="cpu", compute_type="int8"), files),
            }
            print(f"\n{name}: {len(files)} clips")
            for system, results in rows.items():
                heard = [result.get("text", "") for result in results]
                took = sum(result.get("took_s", 0) for result in results) / len(results)
                print(f"{system:24} word errors {error_rate(said, heard):18} {took:.3f} s a clip")
    for file in sorted(Path(recordings).glob("*.wav")):
        print(file.name, ours(binary, [file])[0])


main()
