//! The lines of a catalog that belong to one half of the queries, so that training can use the half
//! that is not tested.

use std::{io, path::PathBuf};

use crate::{Outcome, Selection};

#[derive(clap::Args)]
pub struct Args {
    /// CSV file with a column `id`.
    #[arg(long)]
    catalog: PathBuf,
}

pub fn run(args: &Args, selection: Selection) -> Outcome<()> {
    let mut lines = csv::Reader::from_path(&args.catalog)?;
    let mut half = csv::Writer::from_writer(io::stdout());
    let columns = lines.headers()?.clone();
    let id = columns.iter().position(|column| column == "id");
    let id = id.ok_or("the catalog has no column `id`")?;
    half.write_record(&columns)?;
    for line in lines.records() {
        let line = line?;
        if selection.contains(&line[id]) {
            half.write_record(&line)?;
        }
    }
    Ok(half.flush()?)
}
