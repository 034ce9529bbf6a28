//! Asking for more candidates until a page can be made of them.

use crate::Result;

/// Asks with `count` candidates, then with four times as many each time, up to `most`, until the answer is good enough; with
/// the count of the last.
pub(super) fn widen<T>(
    mut count: usize,
    most: usize,
    mut ask: impl FnMut(usize) -> Result<(T, bool)>,
) -> Result<(T, usize)> {
    loop {
        let (answer, is_enough) = ask(count)?;
        if is_enough || count >= most {
            return Ok((answer, count));
        }
        count = (count * 4).min(most);
    }
}
