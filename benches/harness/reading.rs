//! Rate of reading a catalog with detection of its form, against the form given: `reading [MIB]`.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::Instant,
};

use vitrine_indexer::source::{Catalog, Mapping, text::TextOptions};

/// Size of the catalog without an argument, in MiB.
const DEFAULT_MIB: u64 = 200;

/// Number of runs of each kind, in turns; the fastest counts.
const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mib: u64 = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => DEFAULT_MIB,
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("catalog.csv");
    write(&path, mib << 20)?;
    let given = TextOptions::parse(Some("utf-8"), Some(","), Some("\""))?;
    let detected = TextOptions::default();
    let (mut best_given, mut best_detected) = (f64::MAX, f64::MAX);
    for _ in 0..RUNS {
        best_given = best_given.min(seconds(&path, &given)?);
        best_detected = best_detected.min(seconds(&path, &detected)?);
    }
    let rate = |seconds: f64| mib as f64 / seconds;
    println!("form given     {:7.1} MiB/s", rate(best_given));
    println!("form detected  {:7.1} MiB/s", rate(best_detected));
    println!("ratio          {:7.3}", best_given / best_detected);
    Ok(())
}

/// Writes rows with short, quoted and multi-line cells.
fn write(path: &Path, size: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut written = file.write(b"id,title,description,price,brand,color\n")? as u64;
    let mut row = 0_u64;
    while written < size {
        row += 1;
        let text = match row % 10 {
            0 => format!("\"Line one, {row}\nline \"\"two\"\", {row}\""),
            1..=3 => format!("\"Kettle {row}, steel, 1.7 l\""),
            _ => format!("Kettle {row} Größe 5/8\" steel with a long description in one line"),
        };
        let line = format!("SKU-{row},Red kettle {row},{text},19.99,Acme,red\n");
        file.write_all(line.as_bytes())?;
        written += line.len() as u64;
    }
    file.flush()
}

fn seconds(path: &Path, options: &TextOptions) -> Result<f64, Box<dyn std::error::Error>> {
    let start = Instant::now();
    let mut refused = 0_u64;
    let catalog = Catalog::open_as(path, None, &Mapping::default(), options)?;
    for record in catalog.records()? {
        refused += u64::from(record?.item.is_err());
    }
    assert_eq!(refused, 0, "every row is valid");
    Ok(start.elapsed().as_secs_f64())
}
