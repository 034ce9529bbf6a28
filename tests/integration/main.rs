//! The engine through its public interface.

mod aliases;
mod compat;
mod events;
mod items;
mod lifecycle;
mod model;
mod recommend;
mod search;
mod segments;
mod support;
