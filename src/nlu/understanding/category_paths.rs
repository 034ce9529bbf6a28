//! Conditions on several category paths.

use vitrine_schemas::CategoryPath;

/// Returns the paths that lie in one of `before` and in one of `paths`, the lower of both; all of
/// `paths` if there were none before, `None` if no path is left.
pub(super) fn narrowed(before: &[String], paths: &[String]) -> Option<Vec<String>> {
    if before.is_empty() {
        return Some(paths.to_vec());
    }
    let contains = |a: &str, b: &str| CategoryPath::new(a).contains(CategoryPath::new(b));
    let lower = |a: &String, b: &String| match (contains(a, b), contains(b, a)) {
        (true, _) => Some(b.clone()),
        (_, true) => Some(a.clone()),
        _ => None,
    };
    let mut found: Vec<String> = Vec::new();
    for path in paths
        .iter()
        .flat_map(|b| before.iter().filter_map(move |a| lower(a, b)))
    {
        if !found.contains(&path) {
            found.push(path);
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_on_categories_meet_in_the_lower_one() {
        let paths = |all: &[&str]| all.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        let men = paths(&["Men"]);
        let shoes = paths(&["Men > Shoes", "Women > Shoes", "Shoes"]);
        assert_eq!(narrowed(&men, &shoes), Some(paths(&["Men > Shoes"])));
        assert_eq!(narrowed(&shoes, &men), Some(paths(&["Men > Shoes"])));
        assert_eq!(narrowed(&paths(&["Mens"]), &men), None);
        assert_eq!(narrowed(&[], &men), Some(men));
    }
}
