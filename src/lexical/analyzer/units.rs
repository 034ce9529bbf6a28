//! Units of measure after a number, in one spelling.

use super::characters::narrow;

/// Units after a number, by their spellings. They are terms of their own: "in" is also a word.
const UNITS: &[(&str, &[&str])] = &[
    ("_in", &["in", "inch", "inches", "\""]),
    ("_ft", &["ft", "foot", "feet", "'"]),
    ("_gal", &["gal", "gals", "gallon", "gallons"]),
    ("_lb", &["lb", "lbs", "pound", "pounds"]),
    ("_oz", &["oz", "ounce", "ounces"]),
    ("_qt", &["qt", "quart", "quarts"]),
    ("_w", &["w", "watt", "watts"]),
    ("_v", &["v", "volt", "volts"]),
    ("_a", &["amp", "amps"]),
    ("_yd", &["yd", "yds", "yard", "yards"]),
    (
        "_mm",
        &[
            "mm",
            "millimeter",
            "millimeters",
            "millimetre",
            "millimetres",
            "毫米",
        ],
    ),
    (
        "_cm",
        &[
            "cm",
            "centimeter",
            "centimeters",
            "centimetre",
            "centimetres",
            "厘米",
        ],
    ),
    ("_m", &["m", "meter", "meters", "metre", "metres", "米"]),
    (
        "_l",
        &["l", "ltr", "liter", "liters", "litre", "litres", "升"],
    ),
    (
        "_ml",
        &[
            "ml",
            "milliliter",
            "milliliters",
            "millilitre",
            "millilitres",
            "毫升",
        ],
    ),
    (
        "_kg",
        &["kg", "kgs", "kilogram", "kilograms", "公斤", "千克"],
    ),
    ("_g", &["g", "gr", "gram", "grams", "克"]),
    ("_gb", &["gb", "gigabyte", "gigabytes"]),
    ("_tb", &["tb", "terabyte", "terabytes"]),
];

/// Returns the term of a unit.
pub(super) fn unit(spelling: &str) -> Option<&'static str> {
    let found = UNITS.iter().find(|(_, all)| all.contains(&spelling));
    found.map(|(unit, _)| *unit)
}

/// Returns inches and feet as signs, in one spelling.
pub(super) fn mark(c: char) -> Option<&'static str> {
    match narrow(c) {
        '"' | '\u{2033}' | '\u{201d}' => Some("\""),
        '\'' | '\u{2032}' | '\u{2019}' => Some("'"),
        _ => None,
    }
}
