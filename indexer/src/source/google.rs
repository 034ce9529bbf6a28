//! Names of fields of Google Merchant feeds; their meaning is that of columns by name.

/// Normalizes a field name: `Image Link`, `image link` and `g:image_link` become `image_link`.
pub(super) fn field_name(column: &str) -> String {
    let name = column.to_ascii_lowercase().replace(' ', "_");
    name.strip_prefix("g:").unwrap_or(&name).to_owned()
}
