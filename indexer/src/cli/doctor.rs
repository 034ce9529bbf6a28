//! `doctor`: checks that this machine can embed; one line a check, each problem with a fix.

use std::{io::Write, path::Path};

use vitrine::Embedder;

use super::Outcome;
use crate::{
    error::CommandError,
    models,
    space::{Encoders, Precision, selection::Selection},
};

/// Free memory below which indexing may be killed, in MiB.
const MIN_MEMORY_MIB: u64 = 1024;

/// Result of a check: a fact, or the problem and how to fix it.
type Finding = Result<String, String>;

pub(super) fn run(models_dir: &Path, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let mut outcome = Outcome::Complete;
    let checks: [(&str, &dyn Fn() -> Finding); 4] = [
        ("processor", &|| Ok(processor())),
        ("memory", &memory),
        ("model files", &|| files(models_dir)),
        ("encoders", &|| encoders(models_dir)),
    ];
    for (name, check) in checks {
        match check() {
            Ok(fact) => writeln!(out, "ok       {name}: {fact}")?,
            Err(problem) => {
                outcome = Outcome::Failed;
                writeln!(out, "problem  {name}: {problem}")?;
            }
        }
    }
    Ok(outcome)
}

fn processor() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut facts = vec![format!("{cores} cores"), std::env::consts::ARCH.to_owned()];
    #[cfg(target_arch = "x86_64")]
    for (feature, there) in [
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
    ] {
        let no = if there { "" } else { "no " };
        facts.push(format!("{no}{feature}"));
    }
    facts.join(", ")
}

/// Checks the available memory as Linux reports it; other systems always pass.
fn memory() -> Finding {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    let kib: Option<u64> = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    match kib.map(|k| k / 1024) {
        Some(mib) if mib < MIN_MEMORY_MIB => Err(format!(
            "{mib} MiB of memory are free, indexing needs {MIN_MEMORY_MIB}; close other programs, or index with --batch 16"
        )),
        Some(mib) => Ok(format!("{mib} MiB of memory are free")),
        None => Ok("unknown on this system".to_owned()),
    }
}

fn files(dir: &Path) -> Finding {
    let mut lines = models::verify(dir)
        .map_err(|e| format!("{e}; fetch the models with `vitrine-indexer models get`"))?;
    // Models selected by the user are not in the manifest; `encoders` loads them.
    let selection = Selection::load(dir).map_err(|e| e.to_string())?;
    let used = selection
        .names_with_models(dir)
        .map_err(|e| e.to_string())?;
    lines.retain(|line| used.contains(&line.model));
    let faulty = lines.iter().find_map(|l| Some((l, l.problem.as_ref()?)));
    match faulty {
        Some((line, problem)) => Err(format!("{}/{}: {problem}", line.model, line.file)),
        None => Ok(format!(
            "{} files in {} match the manifest",
            lines.len(),
            dir.display()
        )),
    }
}

/// Loads the encoders and embeds a text and a generated image.
fn encoders(dir: &Path) -> Finding {
    let encoders = Encoders::load(dir, Precision::default()).map_err(|e| e.to_string())?;
    let picture = image::RgbImage::from_fn(64, 48, |x, y| {
        image::Rgb([x, y, 16].map(|c| u8::try_from(c * 4).unwrap_or(u8::MAX)))
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut png, image::ImageFormat::Png)
        .map_err(|e| e.to_string())?;
    let mut made = encoders.embed_text(&["a red shoe"]);
    made.extend(encoders.embed_image(&[png.into_inner()]));
    for embedding in made {
        for (space, vector) in embedding.map_err(|e| e.to_string())? {
            let is_finite = vector.iter().all(|x| x.is_finite());
            if !is_finite || encoders.dims().get(&space) != Some(&vector.len()) {
                return Err(format!(
                    "the vector of space `{space}` has another dimension or a value that is not finite; \
                     fetch the models again with `vitrine-indexer models get`"
                ));
            }
        }
    }
    let dims = encoders.dims().iter();
    let dims: Vec<_> = dims.map(|(space, dim)| format!("{space} {dim}")).collect();
    let selection = Selection::load(dir).map_err(|e| e.to_string())?;
    let (names, dims) = (selection.names(dir).join(" and "), dims.join(", "));
    Ok(format!("{names} load and produce vectors: {dims}"))
}
