//! Background tasks: work that continues after the response.

use std::{collections::VecDeque, sync::Mutex};

use vitrine::schemas::{ModelInfo, Task, TaskState};

/// Maximum number of tasks kept; the oldest are dropped.
const MAX_TASKS: usize = 1000;

/// Tasks since the start of the server.
#[derive(Default)]
pub struct Tasks(Mutex<VecDeque<Task>>);

impl Tasks {
    /// Starts a task on a collection.
    pub fn start(&self, collection: &str) -> Task {
        let task = Task {
            id: uuid::Uuid::now_v7().to_string(),
            collection: collection.to_owned(),
            state: TaskState::Running,
            model: None,
            error: None,
        };
        let mut tasks = self.tasks();
        tasks.push_back(task.clone());
        if tasks.len() > MAX_TASKS {
            tasks.pop_front();
        }
        task
    }

    /// Records the outcome of a task.
    pub fn end(&self, id: &str, outcome: Result<ModelInfo, String>) {
        if let Some(task) = self.tasks().iter_mut().find(|t| t.id == id) {
            task.state = match outcome {
                Ok(_) => TaskState::Done,
                Err(_) => TaskState::Failed,
            };
            (task.model, task.error) = match outcome {
                Ok(model) => (Some(model), None),
                Err(error) => (None, Some(error)),
            };
        }
    }

    /// Returns a task by id.
    pub fn get(&self, id: &str) -> Option<Task> {
        self.tasks().iter().find(|t| t.id == id).cloned()
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, VecDeque<Task>> {
        // No code under the lock panics.
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
