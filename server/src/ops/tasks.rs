//! Background tasks: work that continues after the response.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use vitrine::schemas::{ModelInfo, Task, TaskState};

/// Maximum number of tasks kept; the oldest are dropped.
const MAX_TASKS: usize = 1000;

/// Tasks since the start of the server.
#[derive(Default)]
pub struct Tasks(Mutex<State>);

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    /// Ids of the tasks that have yet to begin, by collection.
    queued: HashMap<String, String>,
}

impl Tasks {
    /// Returns the task on a collection that has yet to begin, and true if it is a new one: at most
    /// one per collection waits.
    pub fn queue(&self, collection: &str) -> (Task, bool) {
        let mut state = self.state();
        let queued = state.queued.get(collection);
        if let Some(task) = queued.and_then(|id| state.tasks.iter().find(|t| t.id == *id)) {
            return (task.clone(), false);
        }
        let task = Task {
            id: uuid::Uuid::now_v7().to_string(),
            collection: collection.to_owned(),
            state: TaskState::Running,
            model: None,
            error: None,
        };
        state.queued.insert(collection.to_owned(), task.id.clone());
        state.tasks.push_back(task.clone());
        if state.tasks.len() > MAX_TASKS {
            state.tasks.pop_front();
        }
        (task, true)
    }

    /// Records that the work of a task begins.
    pub fn begin(&self, id: &str) {
        self.state().queued.retain(|_, queued| queued != id);
    }

    /// Records the outcome of a task.
    pub fn end(&self, id: &str, outcome: Result<ModelInfo, String>) {
        let mut state = self.state();
        state.queued.retain(|_, queued| queued != id);
        if let Some(task) = state.tasks.iter_mut().find(|t| t.id == id) {
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
        self.state().tasks.iter().find(|t| t.id == id).cloned()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // No code under the lock panics.
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_task_of_a_collection_waits() {
        let tasks = Tasks::default();
        let (first, is_new) = tasks.queue("shop");
        assert!(is_new);
        assert_eq!(tasks.queue("shop"), (first.clone(), false));
        assert!(tasks.queue("posts").1);
        // One that has begun may not have seen the latest events.
        tasks.begin(&first.id);
        let (second, is_new) = tasks.queue("shop");
        assert!(is_new && second.id != first.id);
        tasks.end(&second.id, Err("failed".into()));
        assert!(tasks.queue("shop").1);
    }
}
