//! Availability and yes or no, in the words of feeds and shops.

use serde_json::Value;
use vitrine_schemas::Availability;

/// Words without spaces and punctuation, in lower case.
const IN_STOCK: &[&str] = &[
    "instock",
    "available",
    "availablenow",
    "instoreonly",
    "onlineonly",
    "limitedavailability",
    "limitedstock",
    "lowstock",
    "yes",
    "y",
    "true",
    "active",
    "onsale",
    "forsale",
    "verfügbar",
    "verfuegbar",
    "auflager",
    "vorrätig",
    "vorraetig",
    "lieferbar",
    "sofortlieferbar",
    "sofortverfügbar",
    "ja",
    "enstock",
    "disponible",
    "oui",
    "sí",
    "si",
    "hayexistencias",
    "enexistencia",
    "enexistencias",
    "haystock",
    "disponibile",
    "sì",
    "emestoque",
    "disponível",
    "disponivel",
    "sim",
    "opvoorraad",
    "ilager",
    "pålager",
    "tillgänglig",
    "varastossa",
    "skladem",
    "dostępny",
    "wmagazynie",
    "tak",
    "有货",
    "有貨",
    "现货",
    "現貨",
    "有库存",
    "在庫あり",
    "在庫有り",
    "재고있음",
    "вналичии",
];
const OUT_OF_STOCK: &[&str] = &[
    "outofstock",
    "oos",
    "soldout",
    "unavailable",
    "notavailable",
    "notinstock",
    "nostock",
    "discontinued",
    "no",
    "n",
    "false",
    "ausverkauft",
    "nichtverfügbar",
    "nichtverfuegbar",
    "nichtauflager",
    "nichtlieferbar",
    "vergriffen",
    "nein",
    "épuisé",
    "epuise",
    "rupturedestock",
    "enrupturedestock",
    "enrupture",
    "indisponible",
    "nondisponible",
    "non",
    "agotado",
    "sinexistencias",
    "sinstock",
    "nodisponible",
    "esaurito",
    "nondisponibile",
    "esgotado",
    "indisponível",
    "indisponivel",
    "não",
    "uitverkocht",
    "nietopvoorraad",
    "slutsåld",
    "slutilager",
    "udsolgt",
    "utsolgt",
    "loppu",
    "vyprodáno",
    "niedostępny",
    "缺货",
    "缺貨",
    "无货",
    "無貨",
    "没货",
    "已售完",
    "售罄",
    "品切れ",
    "売り切れ",
    "在庫切れ",
    "在庫なし",
    "在庫無し",
    "품절",
    "재고없음",
    "нетвналичии",
];
const PREORDER: &[&str] = &[
    "preorder",
    "presale",
    "prerelease",
    "comingsoon",
    "vorbestellbar",
    "vorbestellung",
    "précommande",
    "preventa",
    "预售",
    "予約",
];
const BACKORDER: &[&str] = &[
    "backorder",
    "backordered",
    "onbackorder",
    "availableonbackorder",
    "availableforbackorder",
    "madetoorder",
    "onorder",
    "surcommande",
    "nachbestellt",
];

/// Parses an availability: words of Google (`in stock`), schema.org
/// (`https://schema.org/InStock`) and shops (`sold out`, `yes`), or a quantity.
///
/// # Errors
/// The value is an unknown word.
pub fn availability(value: &Value) -> Result<Option<Availability>, String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(quantity) = quantity(&text) {
        return Ok(Some(of_quantity(quantity)));
    }
    of_words(&text).map(Some).ok_or_else(|| {
        format!(
            "expected in_stock, out_of_stock, preorder, backorder or a common word for these, got `{text}`"
        )
    })
}

/// Words of time before an availability, which do not change it.
const ADVERBS: &[&str] = &[
    "currently",
    "temporarily",
    "presently",
    "derzeit",
    "momentan",
    "zurzeit",
    "actuellement",
    "temporairement",
    "momentanément",
    "actualmente",
    "temporalmente",
    "attualmente",
    "temporaneamente",
];

fn of_words(text: &str) -> Option<Availability> {
    of_plain_words(text).or_else(|| {
        // `In stock (3 left)`, `In stock - 3 left`
        let head = text.split(['(', ',', ';']).next()?;
        let head = head.split(" - ").next()?.trim();
        (head.len() < text.len()).then(|| of_plain_words(head))?
    })
}

fn of_plain_words(text: &str) -> Option<Availability> {
    let word = text.rsplit(['/', '#']).next().unwrap_or(text);
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(|c| c.is_alphabetic());
        letters.flat_map(char::to_lowercase).collect()
    };
    let has = |words: &[&str], word: &str| words.contains(&word);
    for plain in [letters(word), letters(text)] {
        let plain = plain.strip_prefix("schema").unwrap_or(&plain);
        let bare = ADVERBS.iter().find_map(|adverb| plain.strip_prefix(adverb));
        let plain = bare.unwrap_or(plain);
        if has(OUT_OF_STOCK, plain) {
            return Some(Availability::OutOfStock);
        }
        if has(IN_STOCK, plain) {
            // `3 in stock`, `0 available`
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let none = !digits.is_empty() && digits.bytes().all(|b| b == b'0');
            return Some(of_quantity(if none { 0.0 } else { 1.0 }));
        }
        if has(PREORDER, plain) {
            return Some(Availability::Preorder);
        }
        if has(BACKORDER, plain) {
            return Some(Availability::Backorder);
        }
    }
    None
}

/// Returns the availability of a quantity in stock.
pub fn of_quantity(quantity: f64) -> Availability {
    if quantity > 0.0 {
        Availability::InStock
    } else {
        Availability::OutOfStock
    }
}

/// Parses a quantity in stock: `12`, `-1`, `3.0`, `1,200`, `> 10`, `10+`.
pub fn quantity(text: &str) -> Option<f64> {
    let plain = text.trim().trim_start_matches(['>', '=', '~', ' ']);
    let plain = plain.trim_end_matches(['+', ' ']);
    let plain: String = plain.chars().filter(|c| *c != ' ' && *c != '\'').collect();
    let is_number = plain
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'-'));
    if !is_number {
        return None;
    }
    let number = plain.parse().ok();
    number.or_else(|| plain.replace(',', "").parse().ok())
}

/// Parses yes or no.
///
/// # Errors
/// The value is neither.
pub fn flag(value: &Value) -> Result<Option<bool>, String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::Bool(flag) => return Ok(Some(*flag)),
        Value::String(text) => text.trim().to_lowercase(),
        other => other.to_string(),
    };
    match text.as_str() {
        "" => Ok(None),
        "true" | "yes" | "y" | "t" | "1" | "on" | "x" | "ja" | "oui" | "si" | "sí" | "sim"
        | "tak" | "wahr" | "vrai" => Ok(Some(true)),
        "false" | "no" | "n" | "f" | "0" | "off" | "nein" | "non" | "não" | "nie" | "falsch"
        | "faux" => Ok(Some(false)),
        _ => Err(format!("expected true or false, got `{text}`")),
    }
}
