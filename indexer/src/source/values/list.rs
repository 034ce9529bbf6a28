//! Lists in one cell: JSON arrays, and values between separators where these are unambiguous.

use serde_json::Value;

/// Columns whose cells are lists with commas.
const LIST_COLUMNS: &[&str] = &[
    "tags",
    "tag",
    "keywords",
    "labels",
    "colors",
    "sizes",
    "materials",
    "features",
    "collections",
    "categories",
    "styles",
    "flavors",
    "ingredients",
    "genres",
];
const IMAGE_ENDINGS: &[&str] = &[
    ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic",
];

/// Returns the values of a JSON array in a cell.
pub fn json_array(text: &str) -> Option<Vec<Value>> {
    let text = text.trim();
    if !(text.starts_with('[') && text.ends_with(']')) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Returns true for the name of a column whose cells are lists with commas.
pub fn is_list(column: &str) -> bool {
    LIST_COLUMNS.contains(&column.to_lowercase().as_str())
}

/// Splits a cell: at `|`, and at semicolons or commas if the column `is_list` by its name. Web
/// addresses are not split.
pub fn split(text: &str, is_list: bool) -> Vec<&str> {
    let parts = |separator: char| -> Vec<&str> {
        let parts = text.split(separator).map(str::trim);
        parts.filter(|part| !part.is_empty()).collect()
    };
    if text.contains("://") {
        vec![text]
    } else if text.contains('|') {
        parts('|')
    } else if !is_list {
        vec![text]
    } else if text.contains(';') {
        parts(';')
    } else {
        parts(',')
    }
}

/// Splits a cell of images: at `|`, and at other separators if each part is an image.
pub fn split_images(text: &str) -> Vec<&str> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|'));
    if text.contains('|') {
        return text
            .split('|')
            .map(str::trim)
            .filter(|p| !p.is_empty())
            .collect();
    }
    let separators: [fn(char) -> bool; 3] = [
        |c| c == ',' || c == '\n' || c == '\r',
        |c| c == ';' || c == '\n' || c == '\r',
        char::is_whitespace,
    ];
    for separator in separators {
        let parts = text.split(separator).map(str::trim);
        let parts: Vec<&str> = parts.filter(|p| !p.is_empty()).collect();
        let are_images = parts.iter().all(|p| is_address(p))
            || parts.iter().all(|p| is_file(p) && !is_address(p));
        if parts.len() > 1 && are_images {
            return parts;
        }
    }
    Some(text.trim())
        .filter(|t| !t.is_empty())
        .into_iter()
        .collect()
}

fn is_address(part: &str) -> bool {
    let lower = part.to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

fn is_file(part: &str) -> bool {
    let lower = part.to_ascii_lowercase();
    IMAGE_ENDINGS.iter().any(|ending| lower.ends_with(ending))
}
