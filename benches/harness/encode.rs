//! Our encoders for `make bench-encode`: loads the models, then runs the job named by each line of
//! standard input (`texts f32`, `queries f32`, `texts int8`, `images`), prints its duration in
//! seconds, and at the end writes the vectors (`<out>/texts-f32.f32` and so on, floats row by row).

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use vitrine::{Embedder, Embedding};
use vitrine_indexer::space::{Encoders, Precision};

#[derive(Parser)]
struct Args {
    /// Models folder.
    #[arg(long)]
    models: PathBuf,
    /// JSON array of texts.
    #[arg(long)]
    texts: PathBuf,
    /// JSON array of image files.
    #[arg(long)]
    images: PathBuf,
    /// Folder for the vectors.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let texts: Vec<String> = serde_json::from_slice(&std::fs::read(&args.texts)?)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let images: Vec<PathBuf> = serde_json::from_slice(&std::fs::read(&args.images)?)?;
    let images: Vec<Vec<u8>> = images.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    let f32s = Encoders::load(&args.models, Precision::F32)?;
    let int8 = Encoders::load(&args.models, Precision::Int8)?;
    let mut vectors = BTreeMap::new();
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let started = Instant::now();
        let (made, space) = match line.as_str() {
            "texts f32" => (f32s.embed_text(&texts), "text"),
            "queries f32" => (f32s.embed_query(&texts), "text"),
            "texts int8" => (int8.embed_text(&texts), "text"),
            "images" => (f32s.embed_image(&images), "image"),
            other => return Err(format!("unknown job `{other}`").into()),
        };
        println!("{}", started.elapsed().as_secs_f64());
        std::io::stdout().flush()?;
        let made: Vec<Embedding> = made.into_iter().collect::<Result<_, _>>()?;
        vectors.insert(line.replace(' ', "-"), (made, space));
    }
    for (name, (made, space)) in vectors {
        write(&args.out.join(format!("{name}.f32")), &made, space)?;
    }
    Ok(())
}

fn write(path: &Path, vectors: &[Embedding], space: &str) -> std::io::Result<()> {
    let floats = vectors.iter().flat_map(|embedding| &embedding[space]);
    std::fs::write(
        path,
        floats.flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>(),
    )
}
