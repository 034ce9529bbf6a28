//! Fuzz targets: what reads bytes from outside, or files that may be damaged, must answer every
//! input with a result or an error. A panic, a violated check, or unbounded memory is a crash.
//!
//! `make fuzz` runs them under libFuzzer; the test below runs the committed inputs of `corpus/`.

mod catalogs;
mod cursors;
mod filters;
mod language;
mod log;
mod scratch;
pub mod seeds;
mod segments;
mod shop;
mod stored;
#[cfg(test)]
mod tests;

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// All targets by name; the inputs of each are in the folder of its name in `corpus/`.
pub const TARGETS: [(&str, Target); 14] = [
    ("filter", filters::filter),
    ("understanding", language::understanding),
    ("dialogue", language::dialogue),
    ("cursor", cursors::cursor),
    ("table", catalogs::table),
    ("jsonl", catalogs::jsonl),
    ("xml", catalogs::xml),
    ("parquet", catalogs::parquet),
    ("mapping", catalogs::mapping),
    ("events", catalogs::events),
    ("segment", segments::segment),
    ("state", stored::state),
    ("model", stored::model),
    ("log", log::log),
];

/// Returns the target of a name.
pub fn target(name: &str) -> Option<Target> {
    let named = TARGETS.iter().find(|(known, _)| *known == name);
    named.map(|(_, target)| *target)
}
