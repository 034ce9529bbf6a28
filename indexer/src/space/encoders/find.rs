//! Finding encoders by the fingerprint of their vectors.

use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;

use super::{Encoders, ModelError, Precision};
use crate::space::heads::{self, Heads};
use crate::space::selection::Selection;

impl Encoders {
    /// Returns the encoders whose vectors have this fingerprint, or `None`: these, the selected
    /// ones or others of the models folder, with any of its heads, in any precision. Models that
    /// are loaded already are shared. Trying all combinations takes seconds.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn find(&self, models_dir: &Path, fingerprint: &str) -> Result<Option<Self>, ModelError> {
        if let Some(found) = self.with_any_heads(models_dir, fingerprint)? {
            return Ok(Some(found));
        }
        for selection in Selection::load(models_dir)?.and_others(models_dir)? {
            for precision in Precision::value_variants() {
                let base = match Self::load_base(models_dir, &selection, *precision) {
                    Ok(base) if base.base_fingerprint != self.base_fingerprint => base,
                    Ok(_) => continue,
                    // Not all models can be combined, and a damaged one must not hide the others.
                    Err(error) => {
                        tracing::debug!(?selection, %error, "encoders skipped");
                        break;
                    }
                };
                if let Some(found) = base.with_any_heads(models_dir, fingerprint)? {
                    return Ok(Some(found));
                }
                // Joint models have one precision.
                if selection.joint(models_dir).is_some() {
                    break;
                }
            }
        }
        Ok(None)
    }

    fn with_any_heads(
        &self,
        models_dir: &Path,
        fingerprint: &str,
    ) -> Result<Option<Self>, ModelError> {
        if self.base_fingerprint == fingerprint {
            return Ok(Some(self.without_heads()));
        }
        for name in heads::list(models_dir)? {
            let heads = Heads::load(&heads::folder(models_dir, &name)?, &self.base_fingerprint);
            match heads.and_then(|heads| self.without_heads().with_heads(heads)) {
                Ok(encoders) if encoders.fingerprint == fingerprint => return Ok(Some(encoders)),
                Ok(_) => {}
                // Heads of other encoders are expected here.
                Err(error) => tracing::debug!(name, %error, "heads skipped"),
            }
        }
        Ok(None)
    }

    /// Returns the same models without heads.
    fn without_heads(&self) -> Self {
        let mut dims = self.dims.clone();
        dims.insert("shared".to_owned(), self.untrained_width());
        Self {
            models: Arc::clone(&self.models),
            name: self.name.clone(),
            heads: None,
            base_fingerprint: self.base_fingerprint.clone(),
            fingerprint: self.base_fingerprint.clone(),
            dims,
            limits: self.limits,
        }
    }
}
