//! `embed`: prints the vectors of a text or an image.

use std::{io::Write, path::PathBuf};

use clap::Args;
use serde_json::json;
use vitrine::{EmbedError, Embedder};

use super::{Models, Outcome};
use crate::error::CommandError;

#[derive(Debug, Args)]
pub(super) struct EmbedArgs {
    #[command(flatten)]
    input: Input,
    /// Print the vector of this space only: shared, text or image.
    #[arg(long)]
    space: Option<String>,
    /// Embed the text as a query: some models use another prefix for queries.
    #[arg(long, conflicts_with = "image")]
    query: bool,
    #[command(flatten)]
    models: Models,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Input {
    /// Text to embed.
    #[arg(long)]
    text: Option<String>,
    /// Image file to embed.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
}

pub(super) fn run(args: &EmbedArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let image = match &args.input.image {
        Some(path) => Some(std::fs::read(path).map_err(|source| CommandError::File {
            path: path.clone(),
            source,
        })?),
        None => None,
    };
    let encoders = args.models.load()?;
    let made = match (&args.input.text, image) {
        (Some(text), _) if args.query => encoders.embed_query(&[text]).pop(),
        (Some(text), _) => encoders.embed_text(&[text]).pop(),
        (None, Some(bytes)) => encoders.embed_image(&[bytes]).pop(),
        (None, None) => None,
    };
    let mut vectors = made.unwrap_or_else(|| Err(EmbedError::Model("no result".to_owned())))?;
    if let Some(space) = &args.space {
        let known = vectors.keys().cloned().collect::<Vec<_>>().join(", ");
        vectors.retain(|name, _| name == space);
        if vectors.is_empty() {
            let space = space.clone();
            return Err(CommandError::UnknownSpace { space, known });
        }
    }
    let answer = json!({
        "model": encoders.model_name(), "fingerprint": encoders.fingerprint(), "vectors": vectors
    });
    writeln!(out, "{answer}")?;
    Ok(Outcome::Complete)
}
