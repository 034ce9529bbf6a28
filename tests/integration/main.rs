//! The engine through its public interface.

mod lifecycle;
