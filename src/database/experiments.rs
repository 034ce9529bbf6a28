//! Results of the experiments of a collection.

use vitrine_schemas::{Experiment, ExperimentResults, SearchTimeParams};

use crate::{Collection, Result, behavior::Purposes, experiments::ExperimentTally};

impl Collection {
    /// Returns the results of an experiment from the searches in a range of time.
    ///
    /// # Errors
    /// The experiment does not exist, an invalid time, or the store failed.
    pub fn experiment_results(
        &self,
        id: &str,
        params: &SearchTimeParams,
    ) -> Result<ExperimentResults> {
        let experiment: Experiment = self.setting(id)?;
        let mut tally = ExperimentTally::new(id);
        let range = self.time_range(params)?;
        let is_permitted = self.is_permitted(Purposes::ANALYTICS);
        self.search_log()
            .for_each(range, &is_permitted, |_, outcome| {
                tally.add(&outcome);
                Ok(())
            })?;
        let control = experiment.variants.first();
        Ok(tally.results(control.map(|variant| variant.name.as_str())))
    }
}
