//! Segment files: damaged after a valid checksum, so that what lies behind it is reached.

use std::{
    fs,
    sync::{Arc, LazyLock},
};

use serde_json::Value;
use vitrine::{
    index::{Codes, Progress, SealedSegment, SearchParams, SpaceIndex},
    schemas::Metric,
};

use crate::scratch::Scratch;

/// Bytes before the header: magic, length, checksum.
const START: usize = 16;

/// Alignment of arrays.
const PAGE: usize = 4_096;

/// Segments that inputs change: metric, codes, components, vectors.
const BASES: [(Metric, Codes, usize, usize); 5] = [
    (Metric::Cosine, Codes::None, 4, 20),
    (Metric::L2, Codes::Int8, 16, 40),
    (Metric::Dot, Codes::Int8, 9, 40),
    (Metric::L2, Codes::RaBitQ, 64, 50),
    (Metric::L2, Codes::Projected, 32, 4_200),
];

/// Files of the segments.
pub static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| BASES.map(built).to_vec());

fn built((metric, codes, dim, count): (Metric, Codes, usize, usize)) -> Vec<u8> {
    let component = |n: usize, k: usize| {
        let noise = (n * 7_919 + k * 104_729) % 1_000;
        // Near few directions, as vectors of encoders are.
        ((n % 17 * (k % 5 + 1)) % 13) as f32 + noise as f32 / 1_000.0 + 0.1
    };
    let vectors: Vec<(u32, Vec<f32>)> = (0..count)
        .map(|n| {
            let mut vector: Vec<f32> = (0..dim).map(|k| component(n, k)).collect();
            if metric == Metric::Cosine {
                let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
                vector.iter_mut().for_each(|x| *x /= norm);
            }
            (n as u32, vector)
        })
        .collect();
    let rows: Vec<(u32, &[f32])> = vectors.iter().map(|(id, v)| (*id, v.as_slice())).collect();
    let segment = SealedSegment::build(metric, dim, &rows, codes, &Progress::new(1));
    let file = Scratch::write("segment", b"");
    segment
        .expect("a segment")
        .save(file.path())
        .expect("a file");
    fs::read(file.path()).expect("the file")
}

/// Changes a segment, and opens and searches the result. The first byte selects the segment. If the
/// next one is `{`, the rest replaces the header; otherwise it consists of changes of 4 bytes each:
/// array, position (2 bytes), value. Checksums are made valid.
pub fn segment(input: &[u8]) {
    let Some(segment) = opened(input) else {
        return;
    };
    search(segment);
}

/// Opens the segment of an input; none if it is refused.
pub fn opened(input: &[u8]) -> Option<SealedSegment> {
    // Built by the first input, which is empty.
    let files = &*FILES;
    let (choice, change) = input.split_first()?;
    // The last one is large, and takes most of the time.
    let base = match choice % 16 {
        4 => 4,
        other => other % 4,
    };
    let file = &files[usize::from(base)];
    let (header, arrays) = split(file);
    let changed = if change.starts_with(b"{") {
        joined(change, arrays)
    } else {
        let mut arrays = arrays.to_vec();
        for edit in change.chunks_exact(4) {
            apply(edit, &header, &mut arrays);
        }
        joined(&serde_json::to_vec(&header).expect("JSON"), &arrays)
    };
    let scratch = Scratch::write("segment", &changed);
    SealedSegment::open(scratch.path()).ok()
}

fn search(segment: SealedSegment) {
    let (dim, metric, codes) = (segment.dim(), segment.metric(), segment.codes());
    let ids: Vec<u32> = segment.internal_ids().iter().copied().take(50).collect();
    let index = SpaceIndex::from_segments(dim, metric, codes, vec![Arc::new(segment)]);
    for id in ids {
        let vector = index.vector(id).expect("a vector of each member");
        assert_eq!(vector.len(), dim, "components of a vector");
    }
    for (ef, exact) in [(None, false), (Some(2), false), (None, true)] {
        let params = SearchParams {
            k: 3,
            ef,
            exact,
            ..SearchParams::default()
        };
        let query = vec![0.5; dim];
        let found = index.search(&query, &params).expect("results");
        assert!(found.0.len() <= 3, "at most as many as requested");
    }
    index.check_reachability();
}

/// Returns the header of a file, and its arrays.
fn split(file: &[u8]) -> (Value, &[u8]) {
    let length: [u8; 4] = file[8..12].try_into().expect("4 bytes");
    let end = START + u32::from_le_bytes(length) as usize;
    let header = serde_json::from_slice(&file[START..end]).expect("a header");
    (header, &file[PAGE..])
}

/// Returns the header of a file as JSON.
pub fn header(file: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&split(file).0).expect("JSON")
}

/// Sets a byte of an array.
fn apply(edit: &[u8], header: &Value, arrays: &mut [u8]) {
    let all = header["arrays"].as_array().expect("a list of arrays");
    let array = &all[usize::from(edit[0]) % all.len()];
    let number = |name: &str| array[name].as_u64().expect("a number") as usize;
    let position = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
    let at = number("offset") - PAGE + position % number("bytes").max(1);
    if let Some(byte) = arrays.get_mut(at) {
        *byte = edit[3];
    }
}

/// Returns a file with this header and these arrays; checksums are valid where the header is.
fn joined(header: &[u8], arrays: &[u8]) -> Vec<u8> {
    let join = |header: &[u8]| {
        let mut file = b"VITSEG\x00\x03".to_vec();
        file.extend((header.len() as u32).to_le_bytes());
        file.extend(crc32fast::hash(header).to_le_bytes());
        file.extend(header);
        file.resize(file.len().next_multiple_of(PAGE), 0);
        file.extend(arrays);
        file
    };
    let file = join(header);
    let Ok(mut tree) = serde_json::from_slice::<Value>(header) else {
        return file;
    };
    let listed = tree.get_mut("arrays").and_then(Value::as_array_mut);
    for array in listed
        .into_iter()
        .flatten()
        .filter(|array| array.is_object())
    {
        let number = |name: &str| array[name].as_u64().and_then(|n| usize::try_from(n).ok());
        let range = number("offset").zip(number("bytes"));
        let range = range.and_then(|(at, bytes)| Some(at..at.checked_add(bytes)?));
        if let Some(bytes) = range.and_then(|range| file.get(range)) {
            array["crc32"] = crc32fast::hash(bytes).into();
        }
    }
    join(&serde_json::to_vec(&tree).expect("JSON"))
}
