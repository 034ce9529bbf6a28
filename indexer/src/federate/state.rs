//! The coordinator's state on disk: plan, heads and optimizer after each round, from which a
//! restarted coordinator resumes. It has no secrets: those of a sum are the shops', and new in each
//! round.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{FederateError, Global, Plan, vector};
use crate::encode::{ModelError, weights::read_json_optional};
use crate::files::write_atomic;
use crate::space::heads::write_json;

const FILE: &str = "federation.json";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    plan: Plan,
    /// Number of the next round.
    round: u32,
    /// Number of steps of the optimizer.
    steps: u32,
    /// File with the heads and the moments after that round.
    weights: String,
}

/// A training as it was saved.
pub struct Saved {
    /// Settings.
    pub plan: Plan,
    /// Heads and optimizer.
    pub global: Global,
    /// Number of the next round.
    pub round: u32,
}

/// Saves a training before its round `round`.
///
/// # Errors
/// A file cannot be written.
pub fn save(folder: &Path, plan: &Plan, global: &Global, round: u32) -> Result<(), FederateError> {
    std::fs::create_dir_all(folder).map_err(|e| file(folder, e))?;
    // A name of its own, so that the state never names half-written weights.
    let name = format!("round-{round}.weights");
    let mut bytes = vector::to_bytes(&global.heads)?;
    let moments = global.moments.iter().flatten();
    bytes.extend(moments.flat_map(|v| v.to_le_bytes()));
    let path = folder.join(&name);
    let write = |at: &Path| {
        std::fs::write(at, &bytes).map_err(|source| ModelError::Io {
            path: at.to_owned(),
            source,
        })
    };
    write_atomic(&path, write)?;
    let state = State {
        plan: plan.clone(),
        round,
        steps: global.steps,
        weights: name,
    };
    write_json(&folder.join(FILE), &state)?;
    let before = folder.join(format!("round-{}.weights", round.saturating_sub(1)));
    match std::fs::remove_file(&before) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(file(&before, e)),
        _ => Ok(()),
    }
}

/// Loads the training of a folder, if there is one.
///
/// # Errors
/// A file is damaged.
pub fn load(folder: &Path) -> Result<Option<Saved>, FederateError> {
    let Some(state): Option<State> = read_json_optional(&folder.join(FILE))? else {
        return Ok(None);
    };
    let path = folder.join(&state.weights);
    let bytes = std::fs::read(&path).map_err(|e| file(&path, e))?;
    let mut global = Global::new(&state.plan)?;
    let parameters = vector::length(&global.heads);
    let features = state.plan.features.text + state.plan.features.image;
    let (heads, moments) = bytes
        .split_at_checked(4 * (2 * features + parameters))
        .ok_or_else(|| {
            FederateError::Update(format!(
                "{} is too short; remove the folder",
                path.display()
            ))
        })?;
    global.heads = vector::from_bytes(&global.heads, heads)?;
    global.steps = state.steps;
    let number = |b: &[u8]| f32::from_le_bytes(std::array::from_fn(|i| b[i]));
    let moments: Vec<f32> = moments.chunks_exact(4).map(number).collect();
    if moments.len() == 2 * parameters {
        let (first, second) = moments.split_at(parameters);
        global.moments = [first.to_vec(), second.to_vec()];
    }
    Ok(Some(Saved {
        plan: state.plan,
        global,
        round: state.round,
    }))
}

fn file(path: &Path, source: std::io::Error) -> FederateError {
    let path: PathBuf = path.to_owned();
    FederateError::File { path, source }
}
