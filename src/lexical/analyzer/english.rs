//! Stems of English words (Porter 2, by rust-stemmers), and the plurals that its rules leave out.

use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};

/// Terms of words whose forms have different stems.
const IRREGULAR: &[(&str, &[&str])] = &[
    ("man", &["men", "mens"]),
    ("woman", &["women", "womens"]),
    ("gentleman", &["gentlemen", "gentlemens"]),
    ("snowman", &["snowmen"]),
    ("fireman", &["firemen"]),
    ("fisherman", &["fishermen"]),
    ("craftsman", &["craftsmen"]),
    ("child", &["children", "childrens"]),
    ("foot", &["feet"]),
    ("tooth", &["teeth"]),
    ("goos", &["geese"]),
    ("mous", &["mice"]),
    ("lous", &["lice"]),
    ("ox", &["oxen"]),
    ("knife", &["knives"]),
    ("wife", &["wives"]),
    ("life", &["lives"]),
    ("leaf", &["leaves"]),
    ("loaf", &["loaves"]),
    ("half", &["halves"]),
    ("calf", &["calves"]),
    ("wolf", &["wolves"]),
    ("elf", &["elves"]),
    ("hoof", &["hooves"]),
    ("thief", &["thieves"]),
    ("scarf", &["scarves"]),
    ("dwarf", &["dwarves"]),
    // The stem of "shelves" and "shelving".
    ("shelv", &["shelf"]),
    ("cactus", &["cacti"]),
    ("fungus", &["fungi"]),
    ("stylus", &["styli"]),
    ("lens", &["lens", "lenses"]),
    ("bus", &["buses", "busses"]),
    ("gas", &["gases"]),
    ("canva", &["canvases"]),
    ("atla", &["atlases"]),
    ("ski", &["skis"]),
    // The stems of these are those of other words: organ, anim(e), polic(y), busy, marin(e).
    ("organic", &["organic", "organics", "organically"]),
    ("animal", &["animal", "animals"]),
    ("police", &["police"]),
    ("business", &["business", "businesses"]),
    (
        "marinade",
        &["marinade", "marinades", "marinated", "marinate"],
    ),
    ("universal", &["universal", "universally"]),
];

/// Abbreviations that end in an s and are no plurals.
const SINGULAR: &[&str] = &[
    "gps", "sms", "dns", "cms", "xps", "vps", "cvs", "ups", "abs", "rps",
];

/// Returns the stem of a word in lower case.
pub(in crate::lexical) fn stem(word: &str) -> String {
    static ENGLISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));
    if !word.is_ascii() {
        return word.to_owned();
    }
    let irregular = IRREGULAR.iter().find(|(_, forms)| forms.contains(&word));
    if let Some((stem, _)) = irregular {
        return (*stem).to_owned();
    }
    let stem = ENGLISH.stem(word);
    singular(&stem).unwrap_or(&stem).to_owned()
}

/// Returns the singular of a plural without a vowel before its end (TVs, bras), which the stemmer
/// takes for singular.
fn singular(word: &str) -> Option<&str> {
    let start = word.strip_suffix('s')?;
    let vowels = start.matches(['a', 'e', 'i', 'o', 'u', 'y']).count();
    let is_plural = match start.len() {
        0..2 => false,
        2 => vowels == 0,
        _ => vowels == 0 || (vowels == 1 && start.ends_with(['a', 'o'])),
    };
    (is_plural && !start.ends_with('s') && !SINGULAR.contains(&word)).then_some(start)
}
