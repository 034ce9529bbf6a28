//! The engine through its public interface.

mod aliases;
mod bounds;
mod compat;
mod events;
mod facets;
mod items;
mod lifecycle;
mod model;
mod recommend;
mod search;
mod segments;
mod states;
mod support;
mod understanding;
mod watch;
