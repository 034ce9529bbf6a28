//! Values in the forms that shops write them: prices, availability, times, lists. Every parser
//! returns the value, or an error of the form `expected X, got Y`; columns are unknown here.

pub mod availability;
mod currency;
pub mod list;
pub mod price;
#[cfg(test)]
mod tests;
pub mod time;

pub use availability::{availability, flag};
pub use currency::currency;
pub use price::{DecimalMark, price};
pub use time::rfc3339;
