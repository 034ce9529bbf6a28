//! The lines of a catalog whose items are one part of the questions: what may be learned from where the other part is asked.

use std::{io, path::PathBuf};

use crate::{Asking, Outcome};

#[derive(clap::Args)]
pub struct Args {
    /// CSV file with a column `id`.
    #[arg(long)]
    catalog: PathBuf,
}

pub fn run(args: &Args, asking: Asking) -> Outcome<()> {
    let mut lines = csv::Reader::from_path(&args.catalog)?;
    let mut part = csv::Writer::from_writer(io::stdout());
    let columns = lines.headers()?.clone();
    let id = columns.iter().position(|column| column == "id");
    let id = id.ok_or("the catalog has no column `id`")?;
    part.write_record(&columns)?;
    for line in lines.records() {
        let line = line?;
        if asking.is_of(&line[id]) {
            part.write_record(&line)?;
        }
    }
    Ok(part.flush()?)
}
