//! The engine through its public interface.

mod aliases;
mod events;
mod items;
mod lifecycle;
mod model;
mod search;
mod support;
