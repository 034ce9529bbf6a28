//! Paths of categories.

use std::fmt::Display;

/// Separator of the levels of a category path.
const SEPARATOR: &str = " > ";

/// A path of categories, from the most general one down, such as `Clothing > Shoes > Boots`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategoryPath<'a>(&'a str);

impl<'a> CategoryPath<'a> {
    /// Wraps a path whose levels are separated by `" > "`, as [`CategoryPath::join`] writes it.
    pub fn new(path: &'a str) -> Self {
        Self(path)
    }

    /// Returns the levels of a path in any spacing, without the empty ones.
    pub fn levels(path: &str) -> impl Iterator<Item = &str> {
        let levels = path.split('>').map(str::trim);
        levels.filter(|level| !level.is_empty())
    }

    /// Joins levels to a path.
    pub fn join<L: Display>(levels: impl IntoIterator<Item = L>) -> String {
        let levels = levels.into_iter().map(|level| level.to_string());
        levels.collect::<Vec<_>>().join(SEPARATOR)
    }

    /// Returns the text of the path.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Returns the name of the last level.
    pub fn name(self) -> &'a str {
        self.0.rsplit(SEPARATOR).next().unwrap_or(self.0)
    }

    /// Returns the number of levels; the empty path has none.
    pub fn depth(self) -> usize {
        self.prefixes().count()
    }

    /// Returns the path without its last level; `None` if it has one level.
    pub fn parent(self) -> Option<Self> {
        self.0.rfind(SEPARATOR).map(|end| Self(&self.0[..end]))
    }

    /// Returns the first `depth` levels, or all if there are fewer.
    pub fn prefix(self, depth: usize) -> Self {
        let shorter = depth.checked_sub(1).and_then(|n| self.prefixes().nth(n));
        match depth {
            0 => Self(""),
            _ => shorter.unwrap_or(self),
        }
    }

    /// Returns the paths of 1, 2 and more levels down to the path itself.
    pub fn prefixes(self) -> impl Iterator<Item = Self> {
        let ends = self.0.match_indices(SEPARATOR).map(|(end, _)| end);
        let whole = (!self.0.is_empty()).then_some(self.0.len());
        ends.chain(whole).map(move |end| Self(&self.0[..end]))
    }

    /// Returns true if `other` is this category or below it.
    pub fn contains(self, other: Self) -> bool {
        let below = other.0.strip_prefix(self.0);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATOR))
    }
}

#[cfg(test)]
mod tests {
    use super::CategoryPath;

    #[test]
    fn a_path_is_taken_apart_and_joined() {
        let levels: Vec<_> = CategoryPath::levels(" Clothing>Shoes > > Boots ").collect();
        assert_eq!(levels, ["Clothing", "Shoes", "Boots"]);
        let joined = CategoryPath::join(levels);
        let path = CategoryPath::new(&joined);
        assert_eq!(path.as_str(), "Clothing > Shoes > Boots");
        assert_eq!(path.name(), "Boots");
        assert_eq!(path.depth(), 3);
        assert_eq!(path.parent(), Some(CategoryPath::new("Clothing > Shoes")));
        let prefixes: Vec<_> = path.prefixes().map(CategoryPath::as_str).collect();
        assert_eq!(
            prefixes,
            ["Clothing", "Clothing > Shoes", "Clothing > Shoes > Boots"]
        );
        for (depth, prefix) in [(0, ""), (1, "Clothing"), (3, joined.as_str()), (9, &joined)] {
            assert_eq!(path.prefix(depth).as_str(), prefix);
        }
    }

    #[test]
    fn a_single_level_and_the_empty_path() {
        let path = CategoryPath::new("Shoes");
        assert_eq!(
            (path.name(), path.depth(), path.parent()),
            ("Shoes", 1, None)
        );
        let empty = CategoryPath::new("");
        assert_eq!((empty.name(), empty.depth(), empty.parent()), ("", 0, None));
    }

    #[test]
    fn a_category_contains_those_below_it_only() {
        let contains = |a, b| CategoryPath::new(a).contains(CategoryPath::new(b));
        assert!(contains("Men", "Men") && contains("Men", "Men > Shoes"));
        assert!(!contains("Men > Shoes", "Men"));
        assert!(!contains("Men", "Mens") && !contains("Men", "Mens > Shoes"));
    }
}
