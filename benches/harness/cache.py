"""Files that are made once: each folder of the cache says in a `.key` file what its contents were made from."""

import hashlib
from pathlib import Path

import numpy as np


def digest(*parts) -> str:
    """A hash of files (Path), arrays and plain values."""
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                while chunk := file.read(1 << 22):
                    hasher.update(chunk)
        else:
            hasher.update(repr(part).encode())
        hasher.update(b"\0")
    return hasher.hexdigest()


def arrays(folder: Path, names: list[str], key: str, make) -> list[np.ndarray]:
    """The arrays `names` of `folder`, mapped from disk; made by `make()` where they are missing or made from something else."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / f"{names[0]}.key"
    files = [folder / f"{name}.npy" for name in names]
    if not (stamp.exists() and stamp.read_text() == key and all(file.exists() for file in files)):
        stamp.unlink(missing_ok=True)
        for file, array in zip(files, make(), strict=True):
            # Renamed into place, so a process that still maps the old file keeps it.
            partial = file.with_suffix(".partial.npy")
            np.save(partial, array)
            partial.rename(file)
        # Written last: a run killed half way leaves no key and starts again.
        stamp.write_text(key)
    return [np.load(file, mmap_mode="r") for file in files]
