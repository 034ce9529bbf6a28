//! Result of fitting a model to the training data.

use vitrine::cf::Recommender;

/// Fitted model.
pub struct FittedModel {
    /// Recommender.
    pub model: Box<dyn Recommender>,
    /// Remark on the fit for the report.
    pub note: Option<String>,
}
