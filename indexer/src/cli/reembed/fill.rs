//! `reembed run`: starts or resumes a re-embedding, compares, and switches if requested and safe.

use std::{collections::BTreeSet, io::Write, path::PathBuf};

use clap::Args;
use serde_json::json;
use vitrine::Embedder;
use vitrine_schemas::ReembeddingInfo;

use super::{Remote, compare};
use crate::{
    cli::{
        Models, Outcome,
        index::{batch, cached, weight},
        target::rejects,
    },
    error::CommandError,
    pipeline::{Options, Progress, Rejects},
    reembedding::{self, Comparison, FillSummary},
    sink::{HttpSink, SinkError},
    space::{Encoders, HeadsChoice},
};

/// Space whose vectors depend on the heads.
const SHARED: &str = "shared";

/// Number of passes over items written meanwhile before a switch.
const CATCH_UPS: usize = 10;

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    server: Remote,
    #[command(flatten)]
    models: Models,
    /// Heads on top of the encoders, `none` for no heads [default: the active ones].
    #[arg(long, value_name = "NAME")]
    heads: Option<String>,
    /// Space to re-embed; may be repeated [default: `shared` alone if only the heads change, else
    /// all].
    #[arg(long = "space", value_name = "NAME")]
    spaces: Vec<String>,
    /// Number of items embedded and sent together.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = batch)]
    batch: usize,
    /// Weight of the text in an item's shared vector.
    #[arg(long, value_name = "W", default_value_t = 0.5, value_parser = weight)]
    text_weight: f32,
    /// Weight of the images in an item's shared vector.
    #[arg(long, value_name = "W", default_value_t = 0.5, value_parser = weight)]
    image_weight: f32,
    /// Weight of behavior in an item's shared vector, if the heads know it; lower for items with
    /// few users.
    #[arg(long, value_name = "W", default_value_t = 0.5, value_parser = weight)]
    behavior_weight: f32,
    /// Size of the embedding cache in MiB, kept between runs; 0 disables it.
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    embedding_cache: u64,
    /// Write items that could not be embedded to this file, one JSON object per line; `line` is the
    /// item's version.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Mark items that cannot be embedded, so that they do not block the switch; searches in the
    /// new spaces do not find them.
    #[arg(long)]
    leave_out: bool,
    /// Skip the comparison.
    #[arg(long, conflicts_with = "switch")]
    no_compare: bool,
    /// Switch if every item has vectors and the new spaces are not worse.
    #[arg(long)]
    switch: bool,
    /// Maximum loss of nDCG@10, at the lower end of its 95 % interval, that does not count as
    /// worse.
    #[arg(long, value_name = "X", default_value_t = 0.01, requires = "switch")]
    tolerance: f64,
    #[command(flatten)]
    queries: compare::QueryArgs,
}

pub fn run(args: &RunArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let server = args.server.http();
    let mut rejects = rejects(args.rejects.as_deref())?;
    let models_dir = args.models.dir.path();
    let choice = match args.heads.as_deref() {
        None => HeadsChoice::Active,
        Some("none") => HeadsChoice::None,
        Some(name) => HeadsChoice::Named(name),
    };
    let encoders = Encoders::load_with(&models_dir, args.models.precision, choice)?;
    let before = server.info()?.config.fingerprint;
    let spaces = args.spaces(&encoders, before.as_deref())?;
    let cached = cached(args.embedding_cache, &encoders);
    let embedder = cached
        .as_ref()
        .map_or(&encoders as &dyn Embedder, |cached| cached);
    let info = reembedding::begin(&server, embedder, &spaces)?;
    let filled = args.fill(&server, embedder, &info, &mut rejects)?;
    let fingerprint = embedder.fingerprint();
    let left_out = match args.leave_out {
        true => reembedding::leave_out(&server, fingerprint)?,
        false => 0,
    };
    let mut summary = json!(filled);
    summary["left_out"] = left_out.into();
    writeln!(out, "{summary}")?;
    if filled.images_gone > 0 {
        let items = filled.images_gone;
        tracing::warn!(
            items,
            "their images were uploaded and not stored, so only their text was embedded; index them again after the switch"
        );
    }
    let mut outcome = match filled.failed > left_out {
        true => Outcome::Partial,
        false => Outcome::Complete,
    };
    if args.no_compare {
        return Ok(outcome);
    }
    let info = server.reembedding()?;
    let comparisons = compare::run(&server, &info, &args.queries, out)?;
    if args.switch {
        match args.doubt(&comparisons) {
            Some(doubt) => {
                writeln!(
                    out,
                    "\nnot switched: {doubt}; use `reembed switch` to switch anyway"
                )?;
                outcome = Outcome::Partial;
            }
            None => {
                let info = args.switch(&server, embedder, &mut rejects)?;
                writeln!(out, "\nswitched")?;
                writeln!(out, "{}", json!(info))?;
            }
        }
    }
    Ok(outcome)
}

impl RunArgs {
    /// Returns the spaces to re-embed. With the same encoders and other heads, `text` and `image`
    /// are unchanged.
    fn spaces(
        &self,
        encoders: &Encoders,
        before: Option<&str>,
    ) -> Result<BTreeSet<String>, CommandError> {
        let known = encoders.dims();
        if let Some(unknown) = self.spaces.iter().find(|s| !known.contains_key(*s)) {
            let known: Vec<_> = known.keys().map(String::as_str).collect();
            return Err(CommandError::UnknownSpace {
                space: unknown.clone(),
                known: known.join(", "),
            });
        }
        if !self.spaces.is_empty() {
            return Ok(self.spaces.iter().cloned().collect());
        }
        let before = match before {
            Some(before) => encoders.find(&self.models.dir.path(), before)?,
            None => None,
        };
        let is_same =
            before.is_some_and(|before| before.base_fingerprint() == encoders.base_fingerprint());
        Ok(known
            .keys()
            .filter(|space| !is_same || space.as_str() == SHARED)
            .cloned()
            .collect())
    }

    fn fill(
        &self,
        server: &HttpSink,
        embedder: &dyn Embedder,
        info: &ReembeddingInfo,
        rejects: &mut Rejects,
    ) -> Result<FillSummary, CommandError> {
        let set = reembedding::set_of(info, embedder.fingerprint());
        let mut progress = Progress::new(set.map(|set| set.pending));
        let options = Options {
            batch: self.batch,
            text_weight: self.text_weight,
            image_weight: self.image_weight,
            behavior_weight: self.behavior_weight,
            base: self.queries.images.clone(),
            fetch_images: self.queries.fetch_images,
            ..Options::default()
        };
        let filled = reembedding::fill(server, embedder, info, rejects, &mut progress, options);
        Ok(filled?)
    }

    /// Returns the reason not to switch, if there is one.
    fn doubt(&self, comparisons: &[Comparison]) -> Option<String> {
        if comparisons.is_empty() {
            return Some("nothing could be compared".to_owned());
        }
        let worse = comparisons
            .iter()
            .find(|c| !c.is_not_worse(self.tolerance))?;
        Some(format!(
            "{}: the new spaces may be worse by more than {}",
            worse.title, self.tolerance
        ))
    }

    /// Switches after embedding items written meanwhile. Items marked as not embeddable do not
    /// prevent it.
    fn switch(
        &self,
        server: &HttpSink,
        embedder: &dyn Embedder,
        rejects: &mut Rejects,
    ) -> Result<ReembeddingInfo, CommandError> {
        for _ in 0..CATCH_UPS {
            match server.switch(false) {
                Err(SinkError::Rejected { status: 409, .. }) => {}
                switched => return Ok(switched?),
            }
            let info = server.reembedding()?;
            if self.leave_out && info.other.pending == 0 {
                return Ok(server.switch(true)?);
            }
            if self.fill(server, embedder, &info, rejects)?.embedded == 0 {
                break;
            }
        }
        Ok(server.switch(false)?)
    }
}
